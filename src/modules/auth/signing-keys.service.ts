import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { seal, unseal } from '../../platform/crypto/master-key.js';
import { DatabaseService } from '../../platform/database/database.service.js';

/** ECDSA on P-256 with SHA-256 (RFC 7518): small tokens, quick to sign; the one algorithm of every key. */
export const SIGNING_ALGORITHM = 'ES256';

/** Keys are read again when they were read this long ago, in milliseconds: one taken out of service ends everywhere. */
const RELOAD_INTERVAL_MS = 500;

export interface SigningKeyPair {
  kid: string;
  publicJwk: JWK;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** The keys that sign access tokens: kept in the database, their private halves sealed under the master key. */
@Injectable()
export class SigningKeysService {
  private keys: Promise<SigningKeyPair[]> | undefined;
  private loadedAt = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** The newest key; made when there is none yet. */
  async current(): Promise<SigningKeyPair> {
    const [newest] = await this.load();
    return newest ?? (await this.create());
  }

  /** The public key of that id, if it may still verify. */
  async verifying(kid: string): Promise<KeyObject | undefined> {
    return (await this.load()).find((key) => key.kid === kid)?.publicKey;
  }

  /** JSON Web Key Set (RFC 7517). */
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.current();
    return { keys: (await this.load()).map(({ publicJwk }) => publicJwk) };
  }

  private load(): Promise<SigningKeyPair[]> {
    if (this.clock.now().getTime() - this.loadedAt >= RELOAD_INTERVAL_MS) this.keys = undefined;
    this.keys ??= this.read().catch((error: unknown) => {
      this.keys = undefined; // the next call tries again
      throw error;
    });
    return this.keys;
  }

  private async read(): Promise<SigningKeyPair[]> {
    this.loadedAt = this.clock.now().getTime();
    const rows = await this.database.outside.signingKey.findMany({
      where: { retiredAt: null },
      orderBy: { createdAt: 'desc' },
    });
    return rows.map((row) => {
      const pkcs8 = unseal(this.config.SCANDOCK_MASTER_KEY, `signing-key/${row.kid}`, row.sealedPrivate);
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
      return {
        kid: row.kid,
        publicJwk: row.publicJwk as JWK,
        publicKey: createPublicKey(privateKey),
        privateKey,
      };
    });
  }

  /** Two processes may both make the first key: both are kept and both verify. */
  private async create(): Promise<SigningKeyPair> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' }) as JWK;
    const kid = await calculateJwkThumbprint(jwk);
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    await this.database.outside.signingKey.create({
      data: {
        kid,
        algorithm: SIGNING_ALGORITHM,
        publicJwk: { ...jwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' } as object,
        sealedPrivate: seal(this.config.SCANDOCK_MASTER_KEY, `signing-key/${kid}`, pkcs8),
        createdAt: this.clock.now(),
      },
    });
    this.keys = undefined;
    return (await this.load())[0]!;
  }
}
