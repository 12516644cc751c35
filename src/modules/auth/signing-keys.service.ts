import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { newSigningKey, openSigningKey, type SigningKeyPair } from './signing-key.js';

/** Keys are read again when they were read this long ago, in milliseconds: one taken out of service ends everywhere. */
const RELOAD_INTERVAL_MS = 500;
/** The same when a token names a key that is not among them: another process may just have made it. */
const RELOAD_UNKNOWN_MS = 50;

/** The keys that sign access tokens, each in its time: published, signing, verifying only, retired. */
@Injectable()
export class SigningKeysService {
  private keys: Promise<SigningKeyPair[]> | undefined;
  private loadedAt = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** The newest key whose time to sign has come; made when there is none yet. */
  async current(): Promise<SigningKeyPair> {
    const keys = await this.load();
    const now = this.clock.now();
    // Nothing signs yet when the former keys were taken out before their time: then the next one must not wait for its.
    return keys.find(({ activeAt }) => activeAt <= now) ?? keys.at(-1) ?? (await this.create());
  }

  /** The public key of that id, if it may still verify. */
  async verifying(kid: string): Promise<KeyObject | undefined> {
    const named = (keys: SigningKeyPair[]) => keys.find((key) => key.kid === kid)?.publicKey;
    return named(await this.load()) ?? named(await this.load(RELOAD_UNKNOWN_MS));
  }

  /** JSON Web Key Set (RFC 7517), with the key that will sign next. */
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.current();
    return { keys: (await this.load()).map(({ publicJwk }) => publicJwk) };
  }

  /** Those that are not retired, the one that signs last first. */
  private async load(oldestMs = RELOAD_INTERVAL_MS): Promise<SigningKeyPair[]> {
    if (this.clock.now().getTime() - this.loadedAt >= oldestMs) this.keys = undefined;
    this.keys ??= this.read().catch((error: unknown) => {
      this.keys = undefined; // the next call tries again
      throw error;
    });
    const now = this.clock.now();
    return (await this.keys).filter(({ retiredAt }) => retiredAt === null || retiredAt > now);
  }

  private async read(): Promise<SigningKeyPair[]> {
    const now = this.clock.now();
    this.loadedAt = now.getTime();
    const rows = await this.database.outside.signingKey.findMany({
      where: { OR: [{ retiredAt: null }, { retiredAt: { gt: now } }] },
      orderBy: [{ createdAt: 'desc' }, { kid: 'desc' }],
    });
    return rows
      .map((row) => openSigningKey(this.config.SCANDOCK_MASTER_KEY, row))
      .sort((one, other) => other.activeAt.getTime() - one.activeAt.getTime());
  }

  /** Two processes may both make the first key: both are kept and both verify. */
  private async create(): Promise<SigningKeyPair> {
    const now = this.clock.now();
    const key = await newSigningKey(this.config.SCANDOCK_MASTER_KEY, { createdAt: now, activeAt: now });
    await this.database.outside.signingKey.create({ data: key });
    this.keys = undefined;
    return (await this.load())[0]!;
  }
}
