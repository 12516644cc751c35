import { canonicalForm } from './audit.canonical.js';
import type { AuditRecord } from './audit.events.js';
import type { EventName } from './ledger.rows.js';

/**
 * Stands in the ledger, or in what is told of it, for an event that is gone: under its id and at its time, for nothing else is
 * known of it. Nobody has such an event written, so that it can be told from all others.
 */
export const missingEvent = (organizationId: string, { id, occurredAt }: EventName): AuditRecord => ({
  id,
  occurredAt,
  organizationId,
  actorKind: 'system',
  actorId: 'worker',
  actorLabel: null,
  action: 'audit:missing-event',
  outcome: 'failure',
  resourceType: 'AuditEvent',
  resourceId: id,
  patientRef: null,
  studyRef: null,
  requestId: null,
  traceId: null,
  ip: null,
  userAgent: null,
  scopes: [],
  detail: {},
});

export const isMissing = ({ action }: Pick<AuditRecord, 'action'>): boolean =>
  action === 'audit:missing-event';

/** What is sealed of an event that was queued for its seal, and was gone when that came. */
export const missingForm = (organizationId: string, name: EventName): Buffer =>
  Buffer.from(canonicalForm(missingEvent(organizationId, name)));
