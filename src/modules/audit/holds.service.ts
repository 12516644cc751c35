import { Injectable } from '@nestjs/common';
import type { AuditHold } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { ApplicationError, notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from './audit.service.js';
import type { HoldPage, HoldView, ListHolds, PlaceHold } from './holds.schemas.js';

/**
 * Legal holds: no month of the ledger that one of them touches is retired or dropped, whoever the operator is (see
 * `audit_retire_month`). A hold is released once and for good; whoever needs it again places another.
 */
@Injectable()
export class HoldsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws idempotency_conflict, idempotency_mismatch */
  place(caller: Caller, input: PlaceHold, key: string | undefined): Promise<HoldView> {
    const { organizationId, kind, id: principalId } = caller.principal;
    const claim = { caller, operation: 'audit:place-hold', key, body: input };
    return this.database.withOrganization(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, async () => {
        const made = await tx.auditHold.create({
          data: {
            organizationId,
            id: newId(),
            reference: input.reference,
            fromTime: input.from ?? null,
            toTime: input.to ?? null,
            createdAt: this.clock.now(),
            createdByKind: kind,
            createdById: principalId,
          },
        });
        return made.id;
      });
      const hold = await findHold(tx, caller, 'audit:place-hold', id);
      await this.audit.record(
        tx,
        actedBy<'audit:place-hold'>(caller, {
          action: 'audit:place-hold',
          resource: { type: 'AuditHold', id },
          detail: { from: isoOf(hold.fromTime), to: isoOf(hold.toTime), replayed },
        }),
      );
      return toView(hold);
    });
  }

  /** Newest first. */
  list(caller: Caller, { active, limit, cursor }: ListHolds): Promise<HoldPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.auditHold.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'audit:list-holds').ofType('AuditHold'),
            { organizationId, ...(active !== undefined && { releasedAt: active ? null : { not: null } }) },
            ...(cursor ? olderThan(cursor) : []),
          ],
        },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<HoldView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toView(await findHold(tx, caller, 'audit:read-hold', id)),
    );
  }

  /** @throws not_found, hold_released */
  release(caller: Caller, id: string): Promise<HoldView> {
    const { organizationId, kind, id: principalId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      await findHold(tx, caller, 'audit:release-hold', id);
      const { count } = await tx.auditHold.updateMany({
        where: { organizationId, id, releasedAt: null },
        data: { releasedAt: this.clock.now(), releasedByKind: kind, releasedById: principalId },
      });
      if (count === 0) throw new ApplicationError('hold_released', 409, 'The hold was released before.');
      await this.audit.record(
        tx,
        actedBy<'audit:release-hold'>(caller, {
          action: 'audit:release-hold',
          resource: { type: 'AuditHold', id },
          detail: {},
        }),
      );
      return toView(await findHold(tx, caller, 'audit:release-hold', id));
    });
  }
}

/** @throws not_found when there is none, or none the caller may perform the operation on */
async function findHold(tx: Transaction, caller: Caller, operation: string, id: string): Promise<AuditHold> {
  const { organizationId } = caller.principal;
  const found = await tx.auditHold.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('AuditHold'), { organizationId, id }] },
  });
  if (!found) throw notFound();
  return found;
}

const isoOf = (time: Date | null): string | null => time && time.toISOString();

const toView = (hold: AuditHold): HoldView => ({
  id: hold.id,
  reference: hold.reference,
  ...(hold.fromTime && { from: hold.fromTime.toISOString() }),
  ...(hold.toTime && { to: hold.toTime.toISOString() }),
  active: hold.releasedAt === null,
  placed_at: hold.createdAt.toISOString(),
  placed_by: { kind: hold.createdByKind, id: hold.createdById },
  ...(hold.releasedAt && {
    released_at: hold.releasedAt.toISOString(),
    released_by: { kind: hold.releasedByKind!, id: hold.releasedById! },
  }),
});
