import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { AuditRecord } from './audit.events.js';

/** Names an event: its time finds the month its row is in. */
export interface EventName {
  id: string;
  occurredAt: Date;
}

/** Events by their names. Nothing keeps two of them from having one id at two times. */
export class FoundEvents {
  private readonly byId = new Map<string, AuditRecord[]>();

  constructor(events: readonly AuditRecord[]) {
    for (const event of events) this.byId.set(event.id, [...(this.byId.get(event.id) ?? []), event]);
  }

  /** @param occurredAt without it any that has the id */
  get(id: string, occurredAt?: Date): AuditRecord | undefined {
    const events = this.byId.get(id);
    if (!occurredAt) return events?.[0];
    return events?.find((event) => Number(event.occurredAt) === Number(occurredAt));
  }

  values(): AuditRecord[] {
    return [...this.byId.values()].flat();
  }
}

/** The events of an organization that are named; of those that are not there, nothing. */
export async function eventsNamed(
  tx: SqlTransaction,
  organizationId: string,
  names: readonly EventName[],
): Promise<FoundEvents> {
  const rows = await tx.$queryRaw<AuditRecord[]>`
    SELECT e.id, e.occurred_at AS "occurredAt", e.organization_id AS "organizationId", e.actor_kind AS "actorKind",
           e.actor_id AS "actorId", e.actor_label AS "actorLabel", e.action, e.outcome, e.resource_type AS "resourceType",
           e.resource_id AS "resourceId", e.patient_ref AS "patientRef", e.study_ref AS "studyRef", e.request_id AS "requestId",
           e.trace_id AS "traceId", e.ip, e.user_agent AS "userAgent", e.scopes, e.detail
    FROM unnest(${names.map(({ id }) => id)}::uuid[], ${names.map(({ occurredAt }) => occurredAt)}::timestamptz[])
         AS named(id, occurred_at)
    JOIN audit_event e ON e.id = named.id AND e.occurred_at = named.occurred_at AND e.organization_id = ${organizationId}::uuid`;
  return new FoundEvents(rows);
}
