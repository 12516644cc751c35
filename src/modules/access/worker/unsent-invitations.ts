import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';
import { Enqueuer } from '../../../platform/queue/enqueuer.js';
import { deliverInvitation } from '../access.jobs.js';

/** An invitation that is not sent after so long is queued again, and then as often, in milliseconds. */
const STALLED_MS = 60_000;
/** After so long nobody waits for it any more. */
const GIVEN_UP_MS = 7 * 24 * 3600 * 1000;
const BATCH = 1000;

/** Sends the invitations whose job was lost, or whose mail server was away for longer than a job is tried. */
@Injectable()
export class UnsentInvitations extends Chore {
  readonly name = 'unsent invitations';
  /** Queued again a while ago: a mail server that is away must not be asked with every pass. */
  private readonly requeued = new LRUCache<string, true>({ max: 10 * BATCH, ttl: STALLED_MS });

  constructor(
    private readonly database: DatabaseService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now().getTime();
    const [before, after] = [new Date(now - STALLED_MS), new Date(now - GIVEN_UP_MS)];
    const rows = await this.database.outside.$queryRaw<{ id: string; organization_id: string }[]>`
      SELECT * FROM reconcile_unsent_invitations(${before}::timestamptz, ${after}::timestamptz, ${BATCH}::int)`;
    const due = rows.filter(({ id }) => !this.requeued.has(id));
    for (const { id } of due) this.requeued.set(id, true);
    await this.enqueuer.enqueue(
      deliverInvitation,
      due.map(({ id, organization_id }) => ({ userId: id, organizationId: organization_id })),
    );
  }
}
