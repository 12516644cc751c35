/** Apart from its command, which loads all that it needs: `scandock audit verify` needs nothing. */
export const RETIRE_USAGE =
  'usage: scandock audit retire <YYYY-MM> [--request-exports | --drop] [--keys <jwks.json>]';
