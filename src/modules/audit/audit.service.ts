import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { GroupCommit } from '../../platform/database/group-commit.js';
import { newId } from '../../platform/database/id.js';
import type { AuditEntry, AuditRecord } from './audit.events.js';

/** Writes events to the ledger. There is no way to change or remove one. */
@Injectable()
export class AuditService {
  private readonly appends = new GroupCommit<AuditRecord, void>((organizationId, records) =>
    this.database.withOrganization(organizationId, async (tx) => {
      await insert(tx, records);
      return records.map(() => undefined);
    }),
  );

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Writes events in the transaction of the change they tell of: both commit, or neither. */
  async record<Action extends string>(tx: Transaction, ...entries: AuditEntry<Action>[]): Promise<void> {
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

async function insert(tx: Transaction, records: AuditRecord[]): Promise<void> {
  await tx.auditEvent.createMany({
    data: records.map((record) => ({ ...record, detail: record.detail ?? {} })),
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
