import type { AuditRecord, DetailValue } from './audit.events.js';

interface Form {
  id: string;
  time: string;
  organization: string;
  actor: { kind: string; id: string | null; label: string | null };
  action: string;
  outcome: string;
  resource: { type: string | null; id: string | null };
  patient: string | null;
  study: string | null;
  request: string | null;
  trace: string | null;
  ip: string | null;
  agent: string | null;
  scopes: string[];
  detail: DetailValue;
}

/** The event that `canonicalForm` made a text of. */
export function recordOf(canonical: string): AuditRecord {
  const form = JSON.parse(canonical) as Form;
  return {
    id: form.id,
    occurredAt: new Date(form.time),
    organizationId: form.organization,
    actorKind: form.actor.kind,
    actorId: form.actor.id,
    actorLabel: form.actor.label,
    action: form.action,
    outcome: form.outcome,
    resourceType: form.resource.type,
    resourceId: form.resource.id,
    patientRef: form.patient,
    studyRef: form.study,
    requestId: form.request,
    traceId: form.trace,
    ip: form.ip,
    userAgent: form.agent,
    scopes: form.scopes,
    detail: form.detail,
  };
}
