import canonicalize from 'canonicalize';
import type { AuditRecord } from './audit.events.js';

/** Version of the form below; a change would need another number, since sealed events can never be rewritten. */
const CANONICAL_VERSION = 1;

/**
 * The one canonical form of an event (RFC 8785, JSON Canonicalization Scheme): what seals are computed over and what
 * exports carry. Every member is present, absent values as null; time is UTC with milliseconds. Numbers in a detail are
 * integers, so that jsonb gives back what was put in.
 */
export function canonicalForm(event: AuditRecord): string {
  const form = canonicalize({
    v: CANONICAL_VERSION,
    id: event.id,
    time: event.occurredAt.toISOString(),
    organization: event.organizationId,
    actor: { kind: event.actorKind, id: event.actorId, label: event.actorLabel },
    action: event.action,
    outcome: event.outcome,
    resource: { type: event.resourceType, id: event.resourceId },
    patient: event.patientRef,
    study: event.studyRef,
    request: event.requestId,
    trace: event.traceId,
    ip: event.ip,
    agent: event.userAgent,
    scopes: event.scopes,
    detail: event.detail,
  });
  if (form === undefined) throw new TypeError('An audit event has no canonical form.');
  return form;
}
