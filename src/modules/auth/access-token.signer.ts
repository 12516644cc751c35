import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import type { Scope } from '../../platform/authorization/scopes.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { SIGNING_ALGORITHM } from './signing-key.js';
import { SigningKeysService } from './signing-keys.service.js';

/** `typ` of access tokens (RFC 9068, section 2.1): no other JWT of ours can be taken for one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

export interface AccessTokenContent {
  /** The client, or the user. */
  subject: string;
  organizationId: string;
  clientId: string;
  scopes: readonly Scope[];
  jti: string;
  issuedAt: Date;
  lifetimeSeconds: number;
  /** Of a user: the session the token ends with (`sid`, as in OpenID Connect Back-Channel Logout, section 2.1). */
  sessionId?: string;
}

/** Signs access tokens (RFC 9068). */
@Injectable()
export class AccessTokenSigner {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly keys: SigningKeysService,
  ) {}

  async sign(content: AccessTokenContent): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    const issuedAt = Math.floor(content.issuedAt.getTime() / 1000);
    return new SignJWT({
      client_id: content.clientId,
      org: content.organizationId,
      scope: content.scopes.join(' '),
      ...(content.sessionId !== undefined && { sid: content.sessionId }),
    })
      .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid })
      .setIssuer(this.config.PUBLIC_URL)
      .setAudience(this.config.PUBLIC_URL)
      .setSubject(content.subject)
      .setJti(content.jti)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + content.lifetimeSeconds)
      .sign(privateKey);
  }
}
