import { Injectable } from '@nestjs/common';
import type { Prisma } from '../../generated/prisma/client.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { TERMS, type UserKind } from '../auth/door.js';
import { revokeSession } from '../auth/session.rows.js';
import { AccessChanges } from './access-changes.js';
import type { ListSessions, SessionPage, SessionView } from './credentials.schemas.js';

const withUser = { user: { select: { kind: true } } } as const satisfies Prisma.UserSessionInclude;
type SessionWithUser = Prisma.UserSessionGetPayload<{ include: typeof withUser }>;

/** Sessions of an organization's users: which route may be called, roles say; a role's conditions know none of them. */
@Injectable()
export class ManagedSessionsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Those that can still be used, newest first. */
  list({ principal }: Caller, { user_id: userId, limit, cursor }: ListSessions): Promise<SessionPage> {
    const { organizationId } = principal;
    const where: Prisma.UserSessionWhereInput[] = [
      { organizationId, ...(userId && { userId }), ...living(this.clock.now()) },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.userSession.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        include: withUser,
      });
      return toPage(rows, limit, toView);
    });
  }

  /** Its tokens are good for nothing within a second, its refresh token at once. @throws not_found also when it has ended */
  revoke(caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      if (!(await revokeSession(tx, organizationId, id, { reason: 'revoked', now: this.clock.now() })))
        throw notFound();
      const { userId, user } = await tx.userSession.findUniqueOrThrow({
        where: { organizationId_id: { organizationId, id } },
        include: withUser,
      });
      await this.audit.record(
        tx,
        actedBy<'sessions:revoke'>(caller, {
          action: 'sessions:revoke',
          resource: { type: 'Session', id },
          ...(user.kind === 'patient' && { patientRef: userId }),
          detail: { user: userId },
        }),
      );
    });
  }
}

const KINDS = Object.keys(TERMS) as UserKind[];
const LONGEST_MS = Math.max(...KINDS.map((kind) => TERMS[kind].longestMs));

/** A session also ends with its user, with the portal's key or provider it began by, and when nobody has refreshed it. */
const living = (now: Date): Prisma.UserSessionWhereInput => ({
  revokedAt: null,
  createdAt: { gt: new Date(now.getTime() - LONGEST_MS) }, // says nothing new, but an index can end with it
  expiresAt: { gt: now },
  user: { disabledAt: null },
  AND: [
    {
      OR: KINDS.map((kind) => ({
        user: { kind },
        lastUsedAt: { gt: new Date(now.getTime() - TERMS[kind].idleMs) },
      })),
    },
    { OR: [{ apiKeyId: null }, { apiKey: { revokedAt: null } }] },
    { OR: [{ providerId: null }, { provider: { disabledAt: null } }] },
  ],
});

const toView = (row: SessionWithUser): SessionView => ({
  id: row.id,
  user_id: row.userId,
  user_kind: row.user.kind,
  began_by: row.apiKeyId ? 'portal' : row.providerId ? 'identity_provider' : 'code',
  created_at: row.createdAt.toISOString(),
  last_used_at: row.lastUsedAt.toISOString(),
  expires_at: row.expiresAt.toISOString(),
});
