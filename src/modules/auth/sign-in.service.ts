import { Inject, Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { addressKey } from '../../platform/http/address-key.js';
import { AuditService } from '../audit/audit.service.js';
import { invalidCode, tooManyCodes } from './auth.errors.js';
import { claimAttempt, countFailure, discountFailure, type Subject, useCode } from './challenge.rows.js';
import { type Contact, subjectOf } from './contact.js';
import { type Door, patientRefOf, TERMS } from './door.js';
import { FailureLimiter } from './failure-limiter.js';
import { isOneTimeCode } from './one-time-code.js';
import {
  type SessionLink,
  SessionsService,
  USER_TOKEN_LIFETIME_SECONDS,
  type UserTokens,
} from './sessions.service.js';

const DAY_MS = 24 * 3600 * 1000;

interface Guess {
  door: Door;
  subject: Subject;
  code: string;
  request: RequestInfo;
  now: Date;
}

/** From a one-time code to a session. */
@Injectable()
export class SignInService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly sessions: SessionsService,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {}

  /**
   * Whatever is wrong (the code, its age, the address) is one and the same refusal.
   * @throws invalid_code, rate_limited
   */
  async verifyCode(door: Door, contact: Contact, code: string, request: RequestInfo): Promise<UserTokens> {
    const { organizationId } = door;
    const subjectId = subjectOf(this.config.SCANDOCK_MASTER_KEY, door, contact);
    const subject = { organizationId, subjectId };
    const link = await this.limiter.guard([`sign-in ${addressKey(request.ip)}`], async () => {
      const now = this.clock.now();
      const guess = { door, subject, code, request, now };
      const begun = await this.database.withOrganizationSql(organizationId, (tx) => this.try(tx, guess));
      if (!begun) throw invalidCode();
      return begun;
    });
    return this.sessions.tokensOf(link);
  }

  /** Returns nothing for a wrong code: that it was tried has to be committed. */
  private async try(tx: SqlTransaction, guess: Guess): Promise<SessionLink | undefined> {
    const { door, subject, code, request, now } = guess;
    if (!(await countFailure(tx, subject, now))) throw tooManyCodes(secondsToMidnight(now));
    const challenge = await claimAttempt(tx, subject, now);
    // Thrown: where there is no code to guess, no guess is counted.
    if (!challenge) throw invalidCode();
    request.about = { ...request.about, ...aboutUser(door, challenge.userId) };
    if (!isOneTimeCode(this.config.SCANDOCK_MASTER_KEY, challenge.id, code)) return undefined;
    const userId = await useCode(tx, door, challenge.id, now);
    if (userId === undefined) return undefined;
    await discountFailure(tx, subject, now);
    const link = await this.sessions.begin(tx, door, { userId, providerId: null }, now);
    await this.audit.record(tx, {
      organizationId: subject.organizationId,
      actor: { kind: 'user', id: userId, label: '' },
      action: 'sign-in:verify-code',
      outcome: 'success',
      resource: { type: 'Session', id: link.session.id },
      ...patientRefOf(door.kind, userId),
      scopes: TERMS[door.kind].scopes,
      origin: request,
      detail: { challenge: challenge.id, jti: link.jti, lifetime: USER_TOKEN_LIFETIME_SECONDS },
    });
    return link;
  }
}

/** Whose code was guessed at. */
const aboutUser = ({ kind }: Door, userId: string | null): RequestInfo['about'] =>
  kind === 'patient' || userId === null
    ? patientRefOf(kind, userId)
    : { resource: { type: 'User', id: userId } };

/** The days of the budget are those of UTC, which have no daylight saving. */
const secondsToMidnight = (now: Date): number => Math.ceil((DAY_MS - (now.getTime() % DAY_MS)) / 1000);
