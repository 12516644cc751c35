import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { decodeProtectedHeader } from 'jose';
import { ExtractJwt, Strategy } from 'passport-jwt';
import type { Credential } from '../../../platform/authorization/principal.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { claimsSchema, credentialOf } from '../access-token.claims.js';
import { ACCESS_TOKEN_TYPE } from '../access-token.signer.js';
import { invalidToken } from '../auth.errors.js';
import { SIGNING_ALGORITHM } from '../signing-key.js';
import { SigningKeysService } from '../signing-keys.service.js';

/** Access tokens (RFC 9068): pinned algorithm, issuer, audience, and the `typ` that passport-jwt does not look at. */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, 'access-token') {
  constructor(@Inject(CONFIG) config: ConfigValues, keys: SigningKeysService) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      algorithms: [SIGNING_ALGORITHM],
      issuer: config.PUBLIC_URL,
      audience: config.PUBLIC_URL,
      // A KeyObject, never PEM: parsing the text for each token would cost four fifths of the check.
      secretOrKeyProvider: (_request, token: string, done) => {
        keyFor(token, keys).then(
          (key) => done(null, key as never),
          (error: unknown) => done(error),
        );
      },
    });
  }

  validate(claims: unknown): Credential {
    const parsed = claimsSchema.safeParse(claims);
    if (!parsed.success) throw invalidToken();
    return credentialOf(parsed.data);
  }
}

async function keyFor(token: string, keys: SigningKeysService) {
  const { kid, typ } = headerOf(token);
  const key = kid !== undefined && typ === ACCESS_TOKEN_TYPE ? await keys.verifying(kid) : undefined;
  if (!key) throw invalidToken();
  return key;
}

function headerOf(token: string): { kid?: string; typ?: string } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw invalidToken();
  }
}
