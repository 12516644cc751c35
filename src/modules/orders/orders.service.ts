import { Injectable } from '@nestjs/common';
import { subject } from '@casl/ability';
import type { Order } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import type { Transaction } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { notFound } from '../../platform/errors/application-error.js';
import { orderExists } from './orders.errors.js';

/** What an ability decides on, and whether the order takes more. */
export type OrderAccess = Pick<Order, 'id' | 'createdById' | 'origin' | 'createdAt' | 'closedAt'>;

/** Orders: requests for a study to be processed. Other modules hang uploads, metadata and results on them. */
@Injectable()
export class OrdersService {
  constructor(private readonly clock: Clock) {}

  /** @throws order_exists */
  async create(tx: SqlTransaction, caller: Caller, id: string): Promise<void> {
    const { organizationId, id: principalId } = caller.principal;
    const made = await tx.$executeRaw`
      INSERT INTO "order" (organization_id, id, origin, created_by_id, created_at)
      VALUES (${organizationId}::uuid, ${id}::uuid, 'created', ${principalId}::uuid, ${this.clock.now()}::timestamptz)
      ON CONFLICT (organization_id, id) DO NOTHING`;
    if (made === 0) throw orderExists();
  }

  /** @throws not_found when there is none, or none the caller may perform the operation on. */
  async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Order> {
    const { organizationId } = caller.principal;
    const order = await tx.order.findFirst({
      where: { AND: [accessibleBy(caller, operation).ofType('Order'), { id, organizationId }] },
    });
    if (!order) throw notFound();
    return order;
  }

  /**
   * The same, locked until the end of the transaction: of two callers at once one comes after the other. A study that is
   * being linked to it, which holds a key share, waits too, and then sees that it was closed.
   */
  async lock(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Order> {
    const { organizationId } = caller.principal;
    await tx.$queryRaw`SELECT 1 FROM "order" WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
    return this.find(tx, caller, operation, id);
  }

  /** The newest of the study's orders that the caller may perform the operation on. @throws not_found */
  async newestOfStudy(tx: Transaction, caller: Caller, operation: string, studyUid: string): Promise<Order> {
    const [order] = await this.ofStudy(tx, caller, operation, studyUid);
    if (!order) throw notFound();
    return order;
  }

  /** Newest first. */
  ofStudy(tx: Transaction, caller: Caller, operation: string, studyUid: string): Promise<Order[]> {
    const { organizationId } = caller.principal;
    return tx.order.findMany({
      where: {
        AND: [
          accessibleBy(caller, operation).ofType('Order'),
          { organizationId, studies: { some: { study: { organizationId, studyInstanceUid: studyUid } } } },
        ],
      },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    });
  }

  /** The orders under these ids, held open until the transaction ends: a close waits. For the hot path. */
  async hold(tx: SqlTransaction, organizationId: string, ids: string[]): Promise<Map<string, OrderAccess>> {
    if (ids.length === 0) return new Map();
    const rows = await tx.$queryRaw<OrderAccess[]>`
      SELECT id, created_by_id AS "createdById", origin::text AS origin, created_at AS "createdAt", closed_at AS "closedAt"
      FROM "order" WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) ORDER BY id FOR SHARE`;
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** @throws not_found */
  assertMayUse(caller: Caller, order: OrderAccess | undefined): asserts order is OrderAccess {
    if (!order || !caller.ability.can('orders:read', subject('Order', { ...order }))) throw notFound();
  }

  /** Returns false when it was closed before. */
  async close(tx: Transaction, organizationId: string, id: string): Promise<boolean> {
    const { count } = await tx.order.updateMany({
      where: { organizationId, id, closedAt: null },
      data: { closedAt: this.clock.now() },
    });
    return count > 0;
  }
}
