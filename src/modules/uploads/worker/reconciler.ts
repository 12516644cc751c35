import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService, type Transaction } from '../../../platform/database/database.service.js';
import { Leadership } from '../../../platform/database/leadership.js';
import {
  forgetAuditGauges,
  ledgerOldestSeconds,
  ledgerParked,
  ledgerRecords,
} from '../../../platform/health/metrics.js';
import { IDEMPOTENCY_LIFETIME_MS } from '../../../platform/http/idempotency.js';
import type { Chore } from '../../../platform/queue/chore.js';
import { Enqueuer } from '../../../platform/queue/enqueuer.js';
import { AuditService } from '../../audit/audit.service.js';
import { OutboxService } from '../../events/outbox.service.js';
import { failOrders } from '../order-outcome.js';
import { type Noticed, Registrar } from '../registrar.js';
import { expire } from '../upload.ledger.js';
import { verifyUpload } from '../uploads.jobs.js';
import { PurgeService } from './purge.service.js';
import { StagingSweep } from './staging.sweep.js';
import { SYSTEM } from './system-actor.js';

/** A record that stands still this long is queued again; its job, if it still waits, keeps its place. */
const STALLED_MS = 15_000;
/** A URL is called expired this long after it is, so that a PUT that began in time is listed first. */
const EXPIRY_GRACE_MS = 60_000;
const HOUSEKEEPING_INTERVAL_MS = 60_000;
/** Events can be read this long. */
const EVENT_LIFETIME_MS = 30 * 24 * 3600 * 1000;
const BATCH = 1000;

/** Injection token of the modules' own work. */
export const CHORES = Symbol('Chores');

interface Row {
  id: string;
  organization_id: string;
}

/** Work that is done again and again, each time a while after it was done. */
interface Round {
  timer: NodeJS.Timeout | undefined;
  running: Promise<void>;
}

/**
 * Makes the ledger and the bucket agree, every few seconds, in one process at a time. A timer of the worker rather than
 * a queued job: it must go on when the queue has lost everything, itself included (docs/adr/0006). A chore that must not be late
 * has a timer of its own: a bucket that hangs holds up all the rest.
 */
@Injectable()
export class Reconciler implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Reconciler.name);
  private readonly leadership: Leadership;
  private readonly rounds: Round[] = [];
  private closed = false;
  private housekeptAt = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly sweep: StagingSweep,
    private readonly purge: PurgeService,
    private readonly registrar: Registrar,
    @Inject(CHORES) private readonly chores: Chore[],
    private readonly enqueuer: Enqueuer,
    private readonly outbox: OutboxService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {
    this.leadership = new Leadership(config.DATABASE_URL, 'scandock reconciler');
  }

  onApplicationBootstrap(): void {
    this.repeat(() => this.reconcile());
    for (const chore of this.chores.filter(({ prompt }) => prompt))
      this.repeat(() => this.attempt(chore.name, () => chore.run()));
  }

  async onModuleDestroy(): Promise<void> {
    this.closed = true;
    for (const { timer } of this.rounds) clearTimeout(timer);
    await Promise.all(this.rounds.map(({ running }) => running));
    await this.leadership.resign();
  }

  /** All there is to do, once. */
  async run(): Promise<void> {
    for (const chore of this.chores.filter(({ prompt }) => prompt))
      await this.attempt(chore.name, () => chore.run());
    await this.reconcile();
  }

  /** One whole pass. The steps are independent: one that fails keeps no other from running. */
  private async reconcile(): Promise<void> {
    let noticed: Noticed | undefined;
    await this.attempt('staging', async () => {
      noticed = await this.sweep.run();
    });
    if (noticed) {
      // Only after a whole sweep, and as of its beginning: what lay in staging by then has landed.
      const known = noticed;
      await this.attempt('closing', () => this.registrar.closeDue(known));
      await this.attempt('expiry', () => this.expireOverdue(known));
    }
    await this.attempt('stalled', () => this.requeueStalled());
    for (const chore of this.chores.filter(({ prompt }) => !prompt))
      await this.attempt(chore.name, () => chore.run());
    await this.attempt('purge', () => this.purge.run());
    await this.attempt('summary', () => this.summarize());
    await this.attempt('housekeeping', () => this.housekeep());
  }

  private repeat(work: () => Promise<void>): void {
    const round: Round = { timer: undefined, running: Promise.resolve() };
    const schedule = (): void => {
      if (this.closed) return;
      round.timer = setTimeout(() => {
        round.running = this.lead(work).finally(schedule);
      }, this.config.RECONCILE_INTERVAL_MS);
    };
    this.rounds.push(round);
    schedule();
  }

  private async lead(work: () => Promise<void>): Promise<void> {
    await this.attempt('leadership', async () => {
      if (await this.leadership.held()) return work();
      forgetLedger();
      forgetAuditGauges();
    });
  }

  private async attempt(step: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn(`reconciling ${step} failed (${(error as Error).name}); the next pass tries again`);
    }
  }

  private async expireOverdue({ until: now, except }: Noticed): Promise<void> {
    const rows = await this.database.outside.$queryRaw<Row[]>`
      SELECT * FROM reconcile_overdue(${new Date(now.getTime() - EXPIRY_GRACE_MS)}::timestamptz, ${BATCH}::int)`;
    const sure = rows.filter(({ organization_id }) => !except.has(organization_id));
    for (const [organizationId, ids] of idsByOrganization(sure))
      // One tenant's trouble is not the others'.
      await this.attempt('expiry', () =>
        this.database.withOrganization(organizationId, (tx) => this.expireOf(tx, organizationId, ids, now)),
      );
  }

  private async expireOf(tx: Transaction, organizationId: string, ids: string[], now: Date): Promise<void> {
    const expired = await expire(tx, organizationId, ids, now);
    if (expired.length === 0) return;
    const orderIds = expired.flatMap(({ orderId }) => orderId ?? []);
    const failed = await failOrders(tx, organizationId, orderIds, now);
    await this.outbox.emit(
      tx,
      organizationId,
      failed.map((order_id) => ({ type: 'order.failed', data: { order_id } })),
    );
    await this.audit.record<'uploads:expire'>(tx, {
      organizationId,
      actor: SYSTEM,
      action: 'uploads:expire',
      outcome: 'success',
      detail: { count: expired.length },
    });
  }

  private async requeueStalled(): Promise<void> {
    const changedBefore = new Date(this.clock.now().getTime() - STALLED_MS);
    const rows = await this.database.outside.$queryRaw<Row[]>`
      SELECT * FROM reconcile_stalled(${changedBefore}::timestamptz, ${BATCH}::int)`;
    await this.enqueuer.enqueue(
      verifyUpload,
      rows.map(({ id, organization_id }) => ({ uploadId: id, organizationId: organization_id })),
    );
  }

  private async summarize(): Promise<void> {
    const now = this.clock.now().getTime();
    const rows = await this.database.outside.$queryRaw<
      { state: string; records: bigint; oldest: Date; parked: bigint }[]
    >`
      SELECT * FROM ledger_summary()`;
    forgetLedger();
    for (const { state, records, oldest } of rows) {
      ledgerRecords.set({ state }, Number(records));
      ledgerOldestSeconds.set({ state }, (now - oldest.getTime()) / 1000);
    }
    ledgerParked.set(rows.reduce((sum, { parked }) => sum + Number(parked), 0));
  }

  private async housekeep(): Promise<void> {
    const now = this.clock.now();
    if (now.getTime() - this.housekeptAt < HOUSEKEEPING_INTERVAL_MS) return;
    this.housekeptAt = now.getTime();
    const forgotten = new Date(now.getTime() - IDEMPOTENCY_LIFETIME_MS);
    await this.database.outside.$queryRaw`SELECT sweep_idempotency_keys(${forgotten}::timestamptz)`;
    const past = new Date(now.getTime() - EVENT_LIFETIME_MS);
    await this.database.outside.$queryRaw`SELECT sweep_outbox_events(${past}::timestamptz, ${BATCH}::int)`;
  }
}

function idsByOrganization(rows: Row[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, organization_id } of rows)
    groups.set(organization_id, [...(groups.get(organization_id) ?? []), id]);
  return groups;
}

/** Only the process that leads knows the ledger's figures; another's would be stale. */
function forgetLedger(): void {
  ledgerRecords.reset();
  ledgerOldestSeconds.reset();
  ledgerParked.reset();
}
