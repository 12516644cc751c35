import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { GroupCommit } from '../../platform/database/group-commit.js';
import { newId } from '../../platform/database/id.js';
import type { AuditEntry, AuditRecord } from './audit.events.js';
import { ledgerError } from './ledger-error.js';

/** Writes events to the ledger. There is no way to change or remove one. */
@Injectable()
export class AuditService {
  private readonly appends = new GroupCommit<AuditRecord, void>((organizationId, records) =>
    this.database.withOrganizationSql(organizationId, async (tx) => {
      await insert(tx, records);
      return records.map(() => undefined);
    }),
  );

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Writes events in the transaction of the change they tell of: both commit, or neither. */
  async record<Action extends string>(tx: SqlTransaction, ...entries: AuditEntry<Action>[]): Promise<void> {
    if (entries.length === 0) return;
    await insert(
      tx,
      entries.map((entry) => this.toRecord(entry as AuditEntry)),
    );
  }

  /**
   * Writes an event that changes nothing else (a read, a denial, a failure). Resolves when it is committed; events of
   * concurrent requests share a transaction per organization.
   */
  append(entry: AuditEntry): Promise<void> {
    return this.appends.add(entry.organizationId, this.toRecord(entry));
  }

  private toRecord(entry: AuditEntry): AuditRecord {
    return {
      id: newId(),
      occurredAt: this.clock.now(),
      organizationId: entry.organizationId,
      actorKind: entry.actor.kind,
      actorId: entry.actor.id ?? null,
      actorLabel: entry.actor.label ?? null,
      action: entry.action,
      outcome: entry.outcome,
      resourceType: entry.resource?.type ?? null,
      resourceId: entry.resource?.id ?? null,
      patientRef: entry.patientRef ?? null,
      studyRef: entry.studyRef ?? null,
      requestId: entry.origin?.requestId ?? null,
      traceId: entry.origin?.traceId ?? null,
      ip: entry.origin?.ip ?? null,
      userAgent: entry.origin?.userAgent ?? null,
      scopes: [...(entry.scopes ?? [])],
      detail: entry.detail ?? {},
    };
  }
}

/**
 * One statement, whatever the number. Scopes vary in length, and Postgres has no ragged arrays: they travel as JSON,
 * like the details.
 */
async function insert(tx: SqlTransaction, records: AuditRecord[]): Promise<void> {
  const column = (key: keyof AuditRecord) => records.map((record) => record[key]);
  const written = tx.$executeRaw`
    INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type,
                             resource_id, patient_ref, study_ref, request_id, trace_id, ip, user_agent, scopes, detail)
    SELECT e.id, e.occurred_at, e.organization_id, e.actor_kind, e.actor_id, e.actor_label, e.action, e.outcome, e.resource_type,
           e.resource_id, e.patient_ref, e.study_ref, e.request_id, e.trace_id, e.ip, e.user_agent,
           ARRAY(SELECT jsonb_array_elements_text(e.scopes)), e.detail
    FROM unnest(${column('id')}::uuid[], ${column('occurredAt')}::timestamptz[], ${column('organizationId')}::uuid[],
                ${column('actorKind')}::text[], ${column('actorId')}::text[], ${column('actorLabel')}::text[],
                ${column('action')}::text[], ${column('outcome')}::text[], ${column('resourceType')}::text[],
                ${column('resourceId')}::text[], ${column('patientRef')}::text[], ${column('studyRef')}::text[],
                ${column('requestId')}::text[], ${column('traceId')}::text[], ${column('ip')}::text[],
                ${column('userAgent')}::text[], ${records.map(({ scopes }) => JSON.stringify(scopes))}::jsonb[],
                ${records.map(({ detail }) => JSON.stringify(detail))}::jsonb[])
         AS e(id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type, resource_id,
              patient_ref, study_ref, request_id, trace_id, ip, user_agent, scopes, detail)`;
  await written.catch((cause: unknown) => {
    throw ledgerError(cause);
  });
}

/** The event of what `caller` did within its request. */
export function actedBy<Action extends string>(
  caller: Caller,
  event: Omit<AuditEntry<Action>, 'organizationId' | 'actor' | 'origin' | 'outcome' | 'scopes'>,
): AuditEntry<Action> {
  const { kind, id, label, organizationId } = caller.principal;
  return {
    ...event,
    outcome: 'success',
    organizationId,
    actor: { kind, id, label },
    origin: caller.request,
    scopes: caller.scopes,
  } as AuditEntry<Action>;
}
