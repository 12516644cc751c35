import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { Clock } from '../../platform/clock/clock.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import type { MetadataPatch } from '../metadata/metadata-patch.js';
import { OverlaysService } from '../metadata/overlays.service.js';
import { orderClosed } from '../orders/orders.errors.js';
import { OrdersService } from '../orders/orders.service.js';
import { StudiesService } from '../studies/studies.service.js';
import { LandingService, witnessOf } from '../uploads/landing.service.js';
import type { OrderMetadata, OrderStatus, Target } from './ingestion.schemas.js';
import { takesMetadata } from './order-state.js';
import { OrderViews } from './order.views.js';

/** An order as a caller asks for it. */
export interface NewOrder {
  /** The caller's own UUIDv4. */
  id?: string;
  metadata: MetadataPatch;
}

/** Changes of orders (seeds 001 and 002). Each call is one transaction of change and event. */
@Injectable()
export class IngestionService {
  constructor(
    private readonly database: DatabaseService,
    private readonly orders: OrdersService,
    private readonly overlays: OverlaysService,
    private readonly studies: StudiesService,
    private readonly landing: LandingService,
    private readonly views: OrderViews,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws order_exists, idempotency_conflict, idempotency_mismatch */
  async create(caller: Caller, order: NewOrder, idempotencyKey: string | undefined): Promise<string> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'orders:create', key: idempotencyKey, body: order };
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      const earlier = await this.idempotency.earlier(tx, claim);
      const id = earlier ?? order.id ?? randomUUID();
      if (!earlier) {
        await this.orders.create(tx, caller, id);
        await this.overlays.patch(tx, organizationId, id, order.metadata);
        await this.idempotency.remember(tx, claim, id);
      }
      const detail = { attributes: Object.keys(order.metadata).length, replayed: earlier !== undefined };
      await this.audit.record(
        tx,
        actedBy<'orders:create'>(caller, {
          action: 'orders:create',
          resource: { type: 'Order', id },
          detail,
        }),
      );
      return id;
    });
  }

  /** @throws not_found, order_closed */
  async addMetadata(caller: Caller, target: Target, patch: MetadataPatch): Promise<OrderMetadata> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const id =
        target.order_id ??
        (await this.orders.newestOfStudy(tx, caller, 'metadata:write', target.study_uid!)).id;
      const order = await this.orders.lock(tx, caller, 'metadata:write', id);
      if (!takesMetadata((await this.views.state(tx, caller, order)).state)) throw orderClosed();
      await this.overlays.patch(tx, organizationId, id, patch);
      const { state, attributes, missing } = await this.views.state(tx, caller, order);
      const removed = Object.values(patch).filter((value) => value === null).length;
      await this.audit.record(
        tx,
        actedBy<'metadata:write'>(caller, {
          action: 'metadata:write',
          resource: { type: 'Order', id },
          detail: { set: Object.keys(patch).length - removed, removed },
        }),
      );
      return { order_id: id, state, attributes, missing_metadata: missing };
    });
  }

  /**
   * Closes the order to uploads, and its studies' groups now instead of after the idle minute. What was PUT for it is
   * looked for first: nobody has to wait until it would have been noticed. The same answer each time. @throws not_found
   */
  async close(caller: Caller, id: string): Promise<OrderStatus> {
    const { organizationId } = caller.principal;
    const unseen = await this.database.withOrganization(organizationId, async (tx) => {
      await this.orders.find(tx, caller, 'orders:close', id);
      return unseenOf(tx, organizationId, id);
    });
    const facts = unseen.length > 0 ? await this.landing.look(organizationId, unseen) : [];
    const { landed, status } = await this.database.withOrganization(organizationId, async (tx) => {
      const order = await this.orders.lock(tx, caller, 'orders:close', id);
      const landed = await this.landing.landWithin(tx, witnessOf(caller), facts);
      const first = await this.orders.close(tx, organizationId, id);
      const submissions = await this.studies.hastenClosing(tx, organizationId, id, this.clock.now());
      await this.audit.record(
        tx,
        actedBy<'orders:close'>(caller, {
          action: 'orders:close',
          resource: { type: 'Order', id },
          detail: { submissions, repeated: !first },
        }),
      );
      const closed = { ...order, closedAt: order.closedAt ?? this.clock.now() };
      return { landed, status: await this.views.status(tx, caller, closed) };
    });
    await this.landing.queueVerification(witnessOf(caller), landed);
    return status;
  }
}

async function unseenOf(tx: Transaction, organizationId: string, orderId: string): Promise<string[]> {
  const uploads = await tx.upload.findMany({
    where: { organizationId, orderId, surface: 'ingestion', state: 'issued' },
    select: { id: true },
    orderBy: { id: 'asc' },
    take: 20_000,
  });
  return uploads.map(({ id }) => id);
}
