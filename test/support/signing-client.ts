import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { JWT_BEARER } from '../../src/modules/auth/client-assertion.js';
import type { AssertionAlgorithm, ClientJwk } from '../../src/modules/auth/jwks.schemas.js';
import { SCOPES } from '../../src/platform/authorization/scopes.js';
import { type Answer, Client } from './client.js';
import type { World } from './world.js';

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** A key pair of a client's own. */
export interface OwnKey {
  alg: AssertionAlgorithm;
  privateKey: KeyObject;
  publicKey: KeyObject;
  jwk: ClientJwk;
}

export function newKey(alg: AssertionAlgorithm, kid: string = randomUUID(), modulusLength = 2048): OwnKey {
  const { privateKey, publicKey } =
    alg === 'RS384'
      ? generateKeyPairSync('rsa', { modulusLength })
      : generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } as ClientJwk;
  return { alg, privateKey, publicKey, jwk };
}

/** What of an assertion differs from a right one; `undefined` leaves the member out. */
export interface Deviation {
  claims?: JWTPayload;
  header?: Partial<JWTHeaderParameters>;
  /** What signs it. */
  key?: KeyObject | Uint8Array;
}

/** A client that signs its own assertions (RFC 7523). */
export class SigningClient {
  private readonly calls: Client;

  private constructor(
    private readonly world: World,
    readonly organizationId: string,
    readonly clientId: string,
    readonly key: OwnKey,
  ) {
    this.calls = new Client(world.baseUrl);
  }

  /** Without a secret. */
  static async open(world: World, organizationId: string, key = newKey('ES384')): Promise<SigningClient> {
    const { clientId } = await world.organizations.createClient({
      organizationId,
      name: 'signing client',
      role: 'owner',
      scopes: SCOPES,
    });
    await world.admin.query(
      `DELETE FROM client_key k USING oauth_client c WHERE c.id = k.oauth_client_id AND c.client_id = $1`,
      [clientId],
    );
    const client = new SigningClient(world, organizationId, clientId, key);
    await client.publish([key.jwk]);
    return client;
  }

  /** As an administrator registers them; what is stored is not looked at here. */
  async publish(keys: object[]): Promise<void> {
    await this.world.admin.query('UPDATE oauth_client SET jwks = $1 WHERE client_id = $2', [
      keys.length > 0 ? JSON.stringify({ keys }) : null,
      this.clientId,
    ]);
  }

  assertion({ claims, header, key }: Deviation = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      iss: this.clientId,
      sub: this.clientId,
      aud: `${this.world.baseUrl}/oauth2/token`,
      jti: randomUUID(),
      iat: now,
      exp: now + 300,
      ...claims,
    };
    const protectedHeader = { alg: this.key.alg, typ: 'JWT', kid: this.key.jwk.kid, ...header };
    return new SignJWT(defined(payload))
      .setProtectedHeader(defined(protectedHeader))
      .sign(key ?? this.key.privateKey);
  }

  /** The parameters by which it says who it is. */
  async parameters(deviation?: Deviation): Promise<Record<string, string>> {
    return { client_assertion_type: JWT_BEARER, client_assertion: await this.assertion(deviation) };
  }

  /** Asks for a token with an assertion that is given, or a new one. */
  grant = async (
    client_assertion?: string,
    further: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    this.form(
      '/oauth2/token',
      {
        grant_type: 'client_credentials',
        client_assertion_type: JWT_BEARER,
        client_assertion: client_assertion ?? (await this.assertion()),
        ...further,
      },
      headers,
    );

  form = (
    path: string,
    parameters: Record<string, string> | [string, string][],
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    this.calls.call('POST', path, new URLSearchParams(parameters).toString(), { ...FORM, ...headers });
}

const defined = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;

/** As a JWK: with what only its owner may have. */
export const privateJwkOf = ({ privateKey, jwk }: OwnKey): JWK => ({
  ...privateKey.export({ format: 'jwk' }),
  ...jwk,
});
