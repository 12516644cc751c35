/** Another attempt has begun, or it is over. */
export class Superseded extends Error {
  override name = 'Superseded';
}

/** The bucket has something else under the key than what it was given. */
export class Altered extends Error {
  override name = 'Altered';
}

/** There is no seal over anything of the organization yet; there will be within a minute. */
export class NothingSealed extends Error {
  override name = 'NothingSealed';
}

/** A tree names an event that is not there. */
export class LedgerDamaged extends Error {
  override name = 'LedgerDamaged';

  constructor(readonly position: number) {
    super(`The event at position ${position} is gone.`);
  }
}

/** A month that it is to hold was taken out of the ledger since it was asked for. */
export class MonthRetired extends Error {
  override name = 'MonthRetired';
}
