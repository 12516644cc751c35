import { Inject, Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { AuditService } from '../audit/audit.service.js';
import { channelUnavailable, tooManyCodes } from './auth.errors.js';
import { deliverCode } from './auth.jobs.js';
import { findUser, insertChallenge, lockRecentCodes } from './challenge.rows.js';
import { CodeLimiter } from './code-limiter.js';
import { CodeSender } from './code-sender.js';
import { type Contact, subjectOf } from './contact.js';
import { type Door, patientRefOf } from './door.js';

/** So many codes of one address within so long, in milliseconds. */
const LIMITS = [
  { codes: 1, within: 30_000 },
  { codes: 5, within: 3600 * 1000 },
  { codes: 10, within: 24 * 3600 * 1000 },
];
const LONGEST_MS = Math.max(...LIMITS.map(({ within }) => within));
const MOST_CODES = Math.max(...LIMITS.map(({ codes }) => codes));

/** Makes one-time codes for whoever asks, for any address: whether it is a user's must not be told by answer or time. */
@Injectable()
export class CodesService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly sender: CodeSender,
    private readonly limiter: CodeLimiter,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /** @throws channel_unavailable, rate_limited */
  async send(door: Door, contact: Contact, request: RequestInfo): Promise<void> {
    const { organizationId, kind } = door;
    const { channel } = contact;
    if (!this.sender.isAvailable(channel)) throw channelUnavailable();
    await this.limiter.consume(request.ip);
    const subjectId = subjectOf(this.config.SCANDOCK_MASTER_KEY, door, contact);
    const subject = { organizationId, subjectId };
    const challengeId = newId();
    const now = this.clock.now();
    await this.database.withOrganizationSql(organizationId, async (tx) => {
      const userId = await findUser(tx, door, contact);
      const since = new Date(now.getTime() - LONGEST_MS);
      const wait = waitAfter(await lockRecentCodes(tx, subject, { since, atMost: MOST_CODES }), now);
      if (wait > 0) throw tooManyCodes(Math.ceil(wait / 1000));
      await insertChallenge(tx, subject, { id: challengeId, userId, channel, createdAt: now });
      await this.audit.record(tx, {
        organizationId,
        actor: { kind: 'anonymous' },
        action: 'sign-in:send-code',
        outcome: 'success',
        resource: { type: 'Session' },
        ...patientRefOf(kind, userId),
        origin: request,
        detail: {
          challenge: challengeId,
          channel,
          ...(kind === 'staff' && userId !== undefined && { user: userId }),
        },
      });
    });
    const { requestId, traceId } = request;
    const job = { organizationId, challengeId, requestId, ...(traceId !== undefined && { traceId }) };
    await this.enqueuer.enqueue(deliverCode, [job]);
  }
}

/** How long until the next code may be asked for, in milliseconds. @param sent latest first */
function waitAfter(sent: Date[], now: Date): number {
  const waits = LIMITS.map(({ codes, within }) => {
    const oldest = sent[codes - 1]; // of those that use the limit up
    return oldest === undefined ? 0 : oldest.getTime() + within - now.getTime();
  });
  return Math.max(0, ...waits);
}
