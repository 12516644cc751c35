/** Why a month cannot be retired or dropped now. Its message is for whoever runs the command. */
export class RetirementRefused extends Error {
  override readonly name = 'RetirementRefused';

  /** @param organizations whose part of the ledger it is about */
  constructor(
    reason: string,
    readonly organizations: readonly string[] = [],
  ) {
    super(
      organizations.length === 0
        ? `${reason}.`
        : `${reason}:\n${organizations.map((id) => `  ${id}`).join('\n')}`,
    );
  }
}
