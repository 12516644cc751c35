import { Injectable } from '@nestjs/common';
import type { Order } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import type { Transaction } from '../../platform/database/database.service.js';
import type { EffectiveAttributes } from '../metadata/effective.js';
import { OverlaysService } from '../metadata/overlays.service.js';
import type { OrderDetail, OrderPage, OrderStatus } from './ingestion.schemas.js';
import { countsOfOrders, studiesOfOrders, type StudyRow } from './order.rows.js';
import { type OrderState, orderState, type UploadCounts } from './order-state.js';
import { MAX_REJECTED, rejectedOfOrder, type RejectedRow } from './rejected.rows.js';

/** An order as it stands: everything the views are made of. */
interface Standing {
  order: Order;
  state: OrderState;
  counts: UploadCounts;
  studies: StudyRow[];
  missing: string[];
  attributes: EffectiveAttributes;
}

/** Puts together what callers see of orders. A fixed number of statements, whatever the number of orders. */
@Injectable()
export class OrderViews {
  constructor(private readonly overlays: OverlaysService) {}

  /**
   * What is shown of tags is what the caller may read of studies, each of them: who knows a study's UID can have it join
   * an order of its own, and must not learn by that whose it is.
   */
  async state(tx: Transaction, caller: Caller, order: Order): Promise<Standing> {
    const { organizationId, id } = order;
    const standing = (await this.stand(tx, organizationId, [order], false))[0]!;
    const readable = accessibleBy(caller, 'studies:read').ofType('Study');
    if (standing.studies.length === 0 || Object.keys(readable).length === 0) return standing;
    const studies = await tx.study.findMany({
      where: { AND: [readable, { organizationId, orders: { some: { orderId: id } } }] },
      select: { studyInstanceUid: true },
    });
    const uids = new Set(studies.map(({ studyInstanceUid }) => studyInstanceUid));
    const tags = standing.studies.filter(({ studyUid }) => uids.has(studyUid)).map((row) => row.attributes);
    const overlays = await this.overlays.ofOrders(tx, organizationId, [id]);
    return { ...standing, attributes: this.overlays.effective(overlays.get(id), tags) };
  }

  async status(tx: Transaction, caller: Caller, order: Order): Promise<OrderStatus> {
    return toStatus(
      await this.state(tx, caller, order),
      await rejectedOfOrder(tx, order.organizationId, order.id, MAX_REJECTED),
    );
  }

  async detail(tx: Transaction, caller: Caller, order: Order): Promise<OrderDetail> {
    const { organizationId, id: orderId } = order;
    const standing = await this.state(tx, caller, order);
    const rejected = await rejectedOfOrder(tx, organizationId, orderId, MAX_REJECTED);
    const volumes = await tx.volume.findMany({ where: { organizationId, orderId }, orderBy: { id: 'asc' } });
    return {
      ...toStatus(standing, rejected),
      origin: order.origin,
      created_at: order.createdAt.toISOString(),
      ...(order.closedAt && { closed_at: order.closedAt.toISOString() }),
      volumes: volumes.map(({ id, dimensions, volumes, niftiUploadId }) => ({
        volume_id: id,
        dimensions,
        volumes,
        upload_id: niftiUploadId,
      })),
      attributes: standing.attributes,
    };
  }

  async summaries(tx: Transaction, organizationId: string, orders: Order[]): Promise<OrderPage['items']> {
    const standings = await this.stand(tx, organizationId, orders, true);
    return standings.map(({ order, state, studies, counts, missing }) => ({
      order_id: order.id,
      origin: order.origin,
      state,
      study_uids: studies.map(({ studyUid }) => studyUid),
      counts,
      missing_metadata: missing,
      created_at: order.createdAt.toISOString(),
    }));
  }

  /** @param brief only as many tags as it takes to say what is missing: a page of orders may have thousands of studies */
  private async stand(
    tx: Transaction,
    organizationId: string,
    orders: Order[],
    brief: boolean,
  ): Promise<Standing[]> {
    const ids = orders.map(({ id }) => id);
    const counts = await countsOfOrders(tx, organizationId, ids);
    const required = await this.overlays.required(tx, organizationId);
    const studies = await studiesOfOrders(tx, organizationId, ids, brief ? required : null);
    const overlays = await this.overlays.ofOrders(tx, organizationId, ids);
    return orders.map((order): Standing => {
      const own = studies.get(order.id) ?? [];
      const tags = own.map(({ attributes }) => attributes);
      const attributes = this.overlays.effective(overlays.get(order.id), tags);
      const missing = this.overlays.missing(required, attributes);
      const counted = counts.get(order.id)!;
      const submissionOpen = own.some(({ state }) => state === 'open');
      const state = orderState({ counts: counted, submissionOpen, missing, closed: order.closedAt !== null });
      return { order, state, counts: counted, studies: own, missing, attributes };
    });
  }
}

function toStatus(
  { order, state, counts, studies, missing }: Standing,
  rejected: RejectedRow[],
): OrderStatus {
  const last = studies.toSorted((a, b) => b.lastLandedAt.getTime() - a.lastLandedAt.getTime())[0];
  const closing = studies.filter((study) => study.state === 'open').map(({ closesAt }) => closesAt.getTime());
  return {
    order_id: order.id,
    state,
    study_uids: studies.map(({ studyUid }) => studyUid),
    ...(last && {
      submission: { study_uid: last.studyUid, generation: last.generation, state: last.state },
    }),
    ...(closing.length > 0 && { closes_at: new Date(Math.max(...closing)).toISOString() }),
    counts,
    missing_metadata: missing,
    rejected: rejected.map(({ uploadId, name, rule, message, place }) => ({
      upload_id: uploadId,
      ...(name !== null && { name }),
      rule,
      message,
      ...(place !== null && { where: place }),
    })),
  };
}
