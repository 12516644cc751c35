/** Why a month cannot be retired or dropped now. Its message is for whoever runs the command. */
export class RetirementRefused extends Error {
  override readonly name = 'RetirementRefused';

  /** @param lines whose part of the ledger it is about, and what of it: one each */
  constructor(reason: string, lines: readonly string[] = []) {
    super(lines.length === 0 ? `${reason}.` : `${reason}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
}
