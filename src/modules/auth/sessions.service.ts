import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { newSecret } from '../../platform/crypto/master-key.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { ApplicationError } from '../../platform/errors/application-error.js';
import { addressKey } from '../../platform/http/address-key.js';
import { AuditService } from '../audit/audit.service.js';
import { AccessTokenSigner } from './access-token.signer.js';
import { INVALID_GRANT, invalidGrant } from './auth.errors.js';
import { type Door, patientRefOf, TERMS } from './door.js';
import { FailureLimiter } from './failure-limiter.js';
import {
  findSession,
  insertRefreshToken,
  insertSession,
  replaceRefreshToken,
  revokeSession,
  type SessionRow,
  touchSession,
} from './session.rows.js';

export const USER_TOKEN_LIFETIME_SECONDS = 900;

/** `client_id` in the tokens of staff, whichever app they use; in a patient's it is their portal. */
const STAFF_CLIENT_ID = 'staff';

/** What every refresh token begins with. */
export const REFRESH_TOKEN_PREFIX = 'sdr_';

/** What a user gets for a code, or for the refresh token before. */
export interface UserTokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds. */
  expiresIn: number;
}

/** A link of a session's chain that is committed, or about to be; its access token is still to be signed. */
export interface SessionLink {
  session: SessionRow;
  refreshToken: string;
  jti: string;
  issuedAt: Date;
}

/** Sessions of users: chains of refresh tokens, each of which is good once (RFC 9700, section 4.14.2). */
@Injectable()
export class SessionsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly signer: AccessTokenSigner,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {}

  /** A new session of a user who has just proved who they are. */
  async begin(
    tx: SqlTransaction,
    { named: organizationId, kind, portalKeyId: apiKeyId }: Door,
    by: Pick<SessionRow, 'userId' | 'providerId'>,
    now: Date,
  ): Promise<SessionLink> {
    return this.extend(tx, await insertSession(tx, { organizationId, kind, apiKeyId, ...by }, now), now);
  }

  /** To be called when the link is committed. */
  async tokensOf({ session, refreshToken, jti, issuedAt }: SessionLink): Promise<UserTokens> {
    const accessToken = await this.signer.sign({
      subject: session.userId,
      organizationId: session.organizationId,
      clientId: session.apiKeyId ?? STAFF_CLIENT_ID,
      sessionId: session.id,
      scopes: TERMS[session.kind].scopes,
      jti,
      issuedAt,
      lifetimeSeconds: USER_TOKEN_LIFETIME_SECONDS,
    });
    return { accessToken, refreshToken, expiresIn: USER_TOKEN_LIFETIME_SECONDS };
  }

  /**
   * Changes a refresh token for the next one. Nobody can tell a thief from an owner: a token that is shown a second time,
   * even at the same moment, ends the session for both.
   * @throws invalid_grant, rate_limited
   */
  async refresh(door: Door, token: string, request: RequestInfo): Promise<UserTokens> {
    const link = await this.limiter.count([addressKey(request.ip)], async () => {
      const next = await this.database.withOrganizationSql(door.organizationId, (tx) =>
        this.rotate(tx, door, token, request),
      );
      if (!next) throw invalidGrant();
      return next;
    });
    return this.tokensOf(link);
  }

  /**
   * Ends the session of a refresh token, used or not. One that nobody has is a guess: counted and told to the ledger like
   * any other, though the caller sees no difference.
   * @throws rate_limited
   */
  async end(door: Door, token: string, request: RequestInfo): Promise<void> {
    const { organizationId } = door;
    const attempt = this.limiter.count([addressKey(request.ip)], () =>
      this.database.withOrganizationSql(organizationId, async (tx) => {
        const session = await findSession(tx, door, token);
        if (!session) throw invalidGrant();
        await this.revoke(tx, door, session, { reason: 'logout', request });
      }),
    );
    await attempt.catch((error: unknown) => this.noteGuess(error, organizationId, request));
  }

  /** Written here, since the answer is a 200; the limiter bounds how many. Past it the 429 goes on. */
  private async noteGuess(error: unknown, organizationId: string, request: RequestInfo): Promise<void> {
    if (!(error instanceof ApplicationError) || error.code !== INVALID_GRANT) throw error;
    await this.audit.append({
      organizationId,
      actor: { kind: 'anonymous' },
      action: 'sessions:end',
      outcome: 'denied',
      resource: { type: 'Session' },
      origin: request,
      detail: { reason: 'unknown' },
    });
  }

  private async rotate(
    tx: SqlTransaction,
    door: Door,
    token: string,
    request: RequestInfo,
  ): Promise<SessionLink | undefined> {
    const now = this.clock.now();
    const replaced = await replaceRefreshToken(tx, door.named, token, now);
    if (!replaced) return this.refuseReplay(tx, door, token, request);
    // Thrown, not returned: what comes too late, or to another door, must not use the token up.
    const session =
      replaced.expiresAt > now ? await touchSession(tx, door, replaced.sessionId, now) : undefined;
    if (!session) throw invalidGrant();
    const link = await this.extend(tx, session, now);
    await this.audit.record(tx, {
      organizationId: door.organizationId,
      actor: { kind: 'user', id: session.userId, label: '' },
      action: 'sessions:refresh',
      outcome: 'success',
      resource: { type: 'Session', id: session.id },
      ...patientRefOf(door.kind, session.userId),
      scopes: TERMS[door.kind].scopes,
      origin: request,
      detail: { jti: link.jti, lifetime: USER_TOKEN_LIFETIME_SECONDS },
    });
    return link;
  }

  /** Returns, so that the end of the session is committed although the caller gets a 401. */
  private async refuseReplay(
    tx: SqlTransaction,
    door: Door,
    token: string,
    request: RequestInfo,
  ): Promise<undefined> {
    const session = await findSession(tx, door, token);
    if (!session) return;
    request.about = {
      ...request.about,
      resource: { type: 'Session', id: session.id },
      ...patientRefOf(door.kind, session.userId),
    };
    await this.revoke(tx, door, session, { reason: 'replayed', request });
  }

  private async revoke(
    tx: SqlTransaction,
    { organizationId, kind }: Door,
    session: { id: string; userId: string },
    { reason, request }: { reason: 'logout' | 'replayed'; request: RequestInfo },
  ): Promise<void> {
    const now = this.clock.now();
    if (!(await revokeSession(tx, organizationId, session.id, { reason, now }))) return;
    await this.audit.record(tx, {
      organizationId,
      // Who shows a used token is not known to be the user.
      actor: reason === 'logout' ? { kind: 'user', id: session.userId, label: '' } : { kind: 'anonymous' },
      action: 'sessions:end',
      outcome: reason === 'logout' ? 'success' : 'denied',
      resource: { type: 'Session', id: session.id },
      ...patientRefOf(kind, session.userId),
      origin: request,
      detail: { reason },
    });
  }

  private async extend(tx: SqlTransaction, session: SessionRow, now: Date): Promise<SessionLink> {
    const refreshToken = REFRESH_TOKEN_PREFIX + newSecret();
    await insertRefreshToken(tx, session, refreshToken, now);
    return { session, refreshToken, jti: randomUUID(), issuedAt: now };
  }
}
