import { findOperation } from '../../platform/authorization/operations.js';
import type { ReportedEvent } from './reported-events.rows.js';

/** What an event says, plainly: something was shown, something was changed, or neither. */
export type Access = 'seen' | 'changed' | 'denied';

/** What only shows, and yet is written with a transaction: a URL is issued, an opening is counted. */
const SHOWS = new Set([
  'uploads:download',
  'inspect:download',
  'case-files:download',
  'files:download',
  'results:download',
  'shares:open',
  'shares:unlock',
  'shares:download',
]);

/** Of a denial and of a failure alike nothing was given and nothing changed; the outcome tells which it was. */
export function accessOf({ outcome, action }: Pick<ReportedEvent, 'outcome' | 'action'>): Access {
  if (outcome !== 'success') return 'denied';
  return SHOWS.has(action) || findOperation(action)?.audited === 'response' ? 'seen' : 'changed';
}
