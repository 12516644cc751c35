import { findOperation } from '../../platform/authorization/operations.js';
import { DISCLOSURES } from './disclosure.kinds.js';
import type { ReportedEvent } from './reported-events.rows.js';

/** What an event says, plainly: something was shown, something was changed, or neither. */
export type Access = 'seen' | 'changed' | 'denied';

/** What only shows, and yet is written with a transaction: a URL is issued, an opening is counted. All that discloses, among it. */
const SHOWS = new Set([...Object.keys(DISCLOSURES), 'files:download', 'shares:unlock']);

/** Of a denial and of a failure alike nothing was given and nothing changed; the outcome tells which it was. */
export function accessOf({ outcome, action }: Pick<ReportedEvent, 'outcome' | 'action'>): Access {
  if (outcome !== 'success') return 'denied';
  return SHOWS.has(action) || findOperation(action)?.audited === 'response' ? 'seen' : 'changed';
}
