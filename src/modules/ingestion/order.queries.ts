import { Injectable } from '@nestjs/common';
import type { Order, Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, pageOf } from '../../platform/http/cursor.js';
import { OrdersService } from '../orders/orders.service.js';
import { mentionStudy } from '../studies/study.mention.js';
import type {
  FailureReport,
  ListOrders,
  OrderDetail,
  OrderIds,
  OrderPage,
  OrderStatus,
  Target,
} from './ingestion.schemas.js';
import { OrderViews } from './order.views.js';
import { MAX_REJECTED, type RejectedRow, rejectedOfOrder } from './rejected.rows.js';

/** Reads of orders; every one is audited by the response hook. Each is told from one snapshot. */
@Injectable()
export class OrderQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly orders: OrdersService,
    private readonly views: OrderViews,
  ) {}

  /** @throws not_found */
  status(caller: Caller, target: Target): Promise<OrderStatus> {
    return this.read(caller, async (tx) => {
      const order = await this.target(tx, caller, target);
      return this.views.status(tx, caller, order);
    });
  }

  /** @throws not_found */
  detail(caller: Caller, id: string): Promise<OrderDetail> {
    return this.read(caller, async (tx) => {
      const order = await this.orders.find(tx, caller, 'orders:read', id);
      return this.views.detail(tx, caller, order);
    });
  }

  /** @throws not_found */
  idsOfStudy(caller: Caller, studyUid: string): Promise<OrderIds> {
    return this.read(caller, async (tx) => {
      const orders = await this.orders.ofStudy(tx, caller, 'orders:read', studyUid);
      if (!orders[0]) throw notFound();
      await mentionStudy(tx, caller, studyUid);
      caller.request.about = { ...caller.request.about, resource: { type: 'Order', id: orders[0].id } };
      return { order_ids: orders.map(({ id }) => id) };
    });
  }

  /** Newest first. */
  list(
    caller: Caller,
    { limit, cursor, study_uid, created_from, created_to }: ListOrders,
  ): Promise<OrderPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.OrderWhereInput[] = [
      accessibleBy(caller, 'orders:list').ofType('Order'),
      { organizationId },
    ];
    if (study_uid)
      where.push({ studies: { some: { study: { organizationId, studyInstanceUid: study_uid } } } });
    if (created_from) where.push({ createdAt: { gte: new Date(created_from) } });
    if (created_to) where.push({ createdAt: { lt: new Date(created_to) } });
    if (cursor) where.push(...olderThan(cursor));
    return this.read(caller, async (tx) => {
      const orders = await tx.order.findMany({
        where: { AND: where },
        ...newestFirst(limit),
      });
      const { page, next } = pageOf(orders, limit);
      if (study_uid) await mentionStudy(tx, caller, study_uid);
      return {
        items: await this.views.summaries(tx, organizationId, page),
        ...(next && { next_cursor: next }),
      };
    });
  }

  /** Why an order failed, object by object. @throws not_found */
  failures(caller: Caller, target: Target): Promise<FailureReport> {
    return this.read(caller, async (tx) => {
      const order = await this.target(tx, caller, target);
      const { state } = await this.views.status(tx, caller, order);
      const rows = await rejectedOfOrder(tx, order.organizationId, order.id, MAX_REJECTED + 1);
      return {
        order_id: order.id,
        state,
        ...(order.failedAt && { failed_at: order.failedAt.toISOString() }),
        failures: rows.slice(0, MAX_REJECTED).map(toFailure),
        truncated: rows.length > MAX_REJECTED,
      };
    });
  }

  private async target(tx: Transaction, caller: Caller, { order_id, study_uid }: Target): Promise<Order> {
    const order =
      order_id === undefined
        ? await this.orders.newestOfStudy(tx, caller, 'orders:read', study_uid!)
        : await this.orders.find(tx, caller, 'orders:read', order_id);
    if (study_uid !== undefined) await mentionStudy(tx, caller, study_uid);
    caller.request.about = { ...caller.request.about, resource: { type: 'Order', id: order.id } };
    return order;
  }

  private read<T>({ principal }: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.readOrganization(principal.organizationId, work);
  }
}

function toFailure({ parentId, size, rejectedAt, ...row }: RejectedRow): FailureReport['failures'][number] {
  const { uploadId, name, rule, message, place } = row;
  return {
    upload_id: uploadId,
    ...(name !== null && { name }),
    rule,
    message,
    ...(place !== null && { where: place }),
    ...(size !== null && { size: Number(size) }),
    rejected_at: rejectedAt.toISOString(),
    ...(parentId !== null && { archive_upload_id: parentId }),
  };
}
