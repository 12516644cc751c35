import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import type { ShareLink } from '../../generated/prisma/client.js';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { authenticate, sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { ApplicationError, notFound } from '../../platform/errors/application-error.js';
import { addressKey } from '../../platform/http/address-key.js';
import type { AuditEntry } from '../audit/audit.events.js';
import { FailureLimiter } from '../auth/failure-limiter.js';

/** How long a password, once given, is not asked for again, in milliseconds. */
export const UNLOCK_LIFETIME_MS = 3600 * 1000;

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

export interface ShareUrls {
  share_url: string;
  viewer_url: string;
}

/** How a link is changed; what is absent stays. */
export interface ShareChange {
  rotate?: boolean;
  expiresAt?: Date | null;
  passwordHash?: string | null;
}

/** Links that let anybody who has them read one exam, and nothing else. */
@Injectable()
export class ShareLinksService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {}

  /** The exam's link, made when it has none. One exam has one link. */
  async ensure(
    tx: Transaction,
    exam: { organizationId: string; id: string; expiresAt: Date | null },
  ): Promise<ShareLink> {
    const { organizationId, id: examId, expiresAt } = exam;
    const found = await tx.shareLink.findUnique({
      where: { organizationId_examId: { organizationId, examId } },
    });
    if (found) return found;
    const id = newId();
    const tokenHash = Uint8Array.from(sha256(this.token({ id, version: 1 })));
    return tx.shareLink.create({
      data: { id, organizationId, examId, version: 1, tokenHash, expiresAt, createdAt: this.clock.now() },
    });
  }

  /** Argon2id: slow on purpose, so never inside a transaction. */
  hashPassword(password: string): Promise<string> {
    return hash(password);
  }

  /** Rotating makes another token and ends the former; it also brings a revoked link back. */
  async change(tx: Transaction, link: ShareLink, change: ShareChange): Promise<ShareLink> {
    const version = change.rotate || link.revokedAt ? link.version + 1 : link.version;
    return tx.shareLink.update({
      where: { id: link.id },
      data: {
        version,
        revokedAt: null,
        tokenHash: Uint8Array.from(sha256(this.token({ id: link.id, version }))),
        ...(change.expiresAt !== undefined && { expiresAt: change.expiresAt }),
        ...(change.passwordHash !== undefined && { passwordHash: change.passwordHash }),
      },
    });
  }

  async revoke(tx: Transaction, organizationId: string, examId: string): Promise<number> {
    const { count } = await tx.shareLink.updateMany({
      where: { organizationId, examId, revokedAt: null },
      data: { revokedAt: this.clock.now() },
    });
    return count;
  }

  /** Null while the link leads nowhere: it was revoked, or has ended. */
  urls(link: Pick<ShareLink, 'id' | 'version' | 'revokedAt' | 'expiresAt'> | null): ShareUrls | null {
    if (!link || !this.isLiving(link)) return null;
    const token = this.token(link);
    return {
      share_url: `${this.config.PUBLIC_URL}/share/${token}`,
      viewer_url: `${this.config.PUBLIC_URL}/viewer/${token}`,
    };
  }

  /** The living link of that token. @throws not_found for unknown, revoked and expired ones alike. */
  async resolve(token: string): Promise<ShareLink> {
    if (!TOKEN.test(token)) throw notFound();
    const [found] = await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
      SELECT * FROM resolve_share_link(${Uint8Array.from(sha256(token))})`;
    if (!found) throw notFound();
    const link = await this.database.withOrganization(found.organization_id, (tx) =>
      tx.shareLink.findUnique({ where: { id: found.id } }),
    );
    if (!link || !this.isLiving(link)) throw notFound();
    return link;
  }

  /** Checks a link's password, a few times a minute at most. @throws 401 `wrong_password`, 429 */
  async unlock(link: ShareLink, password: string, request: RequestInfo): Promise<string> {
    await this.limiter.guard([`share ${link.id}`, `share ${link.id} ${addressKey(request.ip)}`], async () => {
      if (link.passwordHash && (await verify(link.passwordHash, password))) return;
      throw new ApplicationError('wrong_password', 401, 'This is not the password of the link.');
    });
    const expires = this.clock.now().getTime() + UNLOCK_LIFETIME_MS;
    return `${expires}.${this.unlockProof(link, expires)}`;
  }

  /** Whether the link needs no password, or the proof says it was given. */
  isUnlocked(link: ShareLink, proof: string | undefined): boolean {
    if (!link.passwordHash) return true;
    const [, expires, presented] = /^(\d{13})\.([A-Za-z0-9_-]{43})$/.exec(proof ?? '') ?? [];
    if (!expires || !presented || Number(expires) < this.clock.now().getTime()) return false;
    return timingSafeEqual(Buffer.from(presented), Buffer.from(this.unlockProof(link, Number(expires))));
  }

  /** The event of something done through a link. */
  actedThrough<Action extends string>(
    link: ShareLink,
    request: RequestInfo,
    event: Pick<AuditEntry<Action>, 'action' | 'detail' | 'resource' | 'studyRef'>,
  ): AuditEntry<Action> {
    return {
      organizationId: link.organizationId,
      actor: { kind: 'share_link', id: link.id },
      outcome: 'success',
      resource: { type: 'ShareLink', id: link.id },
      origin: request,
      ...event,
    } as AuditEntry<Action>;
  }

  private isLiving({ revokedAt, expiresAt }: Pick<ShareLink, 'revokedAt' | 'expiresAt'>): boolean {
    return !revokedAt && (!expiresAt || expiresAt > this.clock.now());
  }

  private token({ id, version }: Pick<ShareLink, 'id' | 'version'>): string {
    return authenticate(this.config.SCANDOCK_MASTER_KEY, 'share-link', `${id}.${version}`).toString(
      'base64url',
    );
  }

  private unlockProof(link: ShareLink, expires: number): string {
    const message = `${link.id}.${link.version}.${link.passwordHash}.${expires}`;
    return authenticate(this.config.SCANDOCK_MASTER_KEY, 'share-unlock', message).toString('base64url');
  }
}
