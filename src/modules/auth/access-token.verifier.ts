import { Inject, Injectable } from '@nestjs/common';
import { errors, jwtVerify } from 'jose';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { type AccessTokenClaims, claimsSchema } from './access-token.claims.js';
import { ACCESS_TOKEN_TYPE } from './access-token.signer.js';
import { SIGNING_ALGORITHM } from './signing-key.js';
import { SigningKeysService } from './signing-keys.service.js';

/** Reads access tokens that somebody asks about, rather than shows to be let in. */
@Injectable()
export class AccessTokenVerifier {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly keys: SigningKeysService,
    private readonly clock: Clock,
  ) {}

  /** What it says, if it is one of ours (RFC 9068, section 4) and not over; whether it was revoked is another question. */
  async verify(token: string): Promise<AccessTokenClaims | undefined> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.keyNamed(kid), {
        algorithms: [SIGNING_ALGORITHM],
        typ: ACCESS_TOKEN_TYPE,
        issuer: this.config.PUBLIC_URL,
        audience: this.config.PUBLIC_URL,
        requiredClaims: ['exp'],
        currentDate: this.clock.now(),
      });
      return claimsSchema.safeParse(payload).data;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  private async keyNamed(kid: string | undefined) {
    const key = kid === undefined ? undefined : await this.keys.verifying(kid);
    if (!key) throw new errors.JWKSNoMatchingKey();
    return key;
  }
}
