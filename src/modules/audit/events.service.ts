import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { timeOfId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { decodeCursor, olderThan, toPage } from '../../platform/http/cursor.js';
import { whereEvent } from './event.filter.js';
import type { EventPage, EventView, ListEvents, SealedEventView } from './events.schemas.js';
import { sealOf } from './sealed.rows.js';

/** How far an event's time is looked for from that of its id: both are taken in one go, on one machine. */
const NEAR_MS = 60_000;

/** How far back a page is looked for first: two months, at most, to plan for. */
const RECENT_MS = 28 * 86_400_000;

/** Reads the ledger of the caller's organization. That somebody has read is an event, too. */
@Injectable()
export class AuditEventsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. */
  list(caller: Caller, query: ListEvents): Promise<EventPage> {
    const { organizationId } = caller.principal;
    const { from, to, limit, cursor, ...filter } = query;
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows: AuditEvent[] = [];
      for (const span of this.spansOf(query)) {
        const found = await tx.auditEvent.findMany({
          where: {
            AND: [
              accessibleBy(caller, 'audit:list-events').ofType('AuditEvent'),
              { organizationId, ...whereEvent(filter) },
              ...(from ? [{ occurredAt: { gte: new Date(from) } }] : []),
              ...(to ? [{ occurredAt: { lt: new Date(to) } }] : []),
              ...(cursor ? olderThan(cursor, 'occurredAt') : []),
              span,
            ],
          },
          orderBy: [{ occurredAt: 'desc' }, { id: 'desc' }],
          take: limit + 1 - rows.length,
        });
        rows.push(...found);
        if (rows.length > limit) break;
      }
      return toPage(
        rows.map((row) => ({ ...row, createdAt: row.occurredAt })),
        limit,
        toView,
      );
    });
  }

  /** With the seal it is under. @throws not_found */
  read(caller: Caller, id: string): Promise<SealedEventView> {
    const { organizationId } = caller.principal;
    return this.database.readOrganization(organizationId, async (tx) => {
      const event = await findEvent(tx, caller, id);
      const seal = await sealOf(tx, organizationId, event);
      if (!seal) return { ...toView(event), sealed: false };
      const { number, position, sealedAt } = seal;
      return {
        ...toView(event),
        sealed: true,
        seal: { number, position, sealed_at: sealedAt.toISOString() },
      };
    });
  }

  /**
   * What is looked through first, and what only if that did not fill the page. The newest weeks of what is asked for mostly
   * do, and to plan for all months takes longer than to search two.
   */
  private spansOf({ from, to, cursor }: ListEvents): { occurredAt?: { gte: Date } | { lt: Date } }[] {
    const ends = [
      this.clock.now(),
      ...(to ? [new Date(to)] : []),
      ...(cursor ? [decodeCursor(cursor).createdAt] : []),
    ];
    const recent = new Date(Math.min(...ends.map((end) => end.getTime())) - RECENT_MS);
    if (from && new Date(from) >= recent) return [{}];
    return [{ occurredAt: { gte: recent } }, { occurredAt: { lt: recent } }];
  }
}

/** By the month its id tells of, and only if it is not there by all of them. @throws not_found */
async function findEvent(tx: Transaction, caller: Caller, id: string): Promise<AuditEvent> {
  const { organizationId } = caller.principal;
  const made = timeOfId(id)?.getTime();
  const near = made !== undefined && { gte: new Date(made - NEAR_MS), lte: new Date(made + NEAR_MS) };
  for (const occurredAt of near ? [near, undefined] : [undefined]) {
    const found = await tx.auditEvent.findFirst({
      where: {
        AND: [
          accessibleBy(caller, 'audit:read-event').ofType('AuditEvent'),
          { organizationId, id, ...(occurredAt && { occurredAt }) },
        ],
      },
    });
    if (found) return found;
  }
  throw notFound();
}

const toView = (event: AuditEvent): EventView => ({
  id: event.id,
  time: event.occurredAt.toISOString(),
  actor: { kind: event.actorKind, id: event.actorId, label: event.actorLabel },
  action: event.action,
  outcome: event.outcome as EventView['outcome'],
  resource: { type: event.resourceType, id: event.resourceId },
  patient: event.patientRef,
  study: event.studyRef,
  request_id: event.requestId,
  trace_id: event.traceId,
  ip: event.ip,
  user_agent: event.userAgent,
  scopes: event.scopes,
  detail: event.detail as EventView['detail'],
});
