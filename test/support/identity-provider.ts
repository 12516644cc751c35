import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import Provider from 'oidc-provider';

export const CLIENT_ID = 'scandock';
export const CALLBACK = 'https://app.example/signed-in';

/** A real OpenID Connect provider on this machine, where whoever is {@link account} signs in without being asked. */
export class IdentityProvider {
  readonly clientSecret = randomBytes(24).toString('base64url');
  /** Who sits before the browser: `sub`. Nobody: the provider is told that they do not want to. */
  account: string | undefined = randomUUID();
  /** Paths that something else answers, before the provider does. */
  readonly instead = new Map<string, RequestListener>();
  /** `METHOD path` of each request, in their order. */
  readonly asked: string[] = [];
  issuer = '';
  private key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  private provider: Provider;
  private readonly server = createServer((request, response) => void this.answer(request, response));

  static async open(): Promise<IdentityProvider> {
    const own = new IdentityProvider();
    own.server.listen(0, '127.0.0.1');
    await once(own.server, 'listening');
    own.issuer = `http://127.0.0.1:${(own.server.address() as AddressInfo).port}`;
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    own.key = privateKey;
    const jwk: JWK = { ...(await exportJWK(privateKey)), kid: 'own', alg: 'RS256', use: 'sig' };
    own.provider = new Provider(own.issuer, {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: own.clientSecret,
          redirect_uris: [CALLBACK, 'https://app.example/other'],
        },
      ],
      jwks: { keys: [jwk] },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: () => '/interaction' },
      pkce: { required: () => true },
      findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
    });
    return own;
  }

  /** What makes a process ask here although it is this machine. */
  get environment(): Record<string, string> {
    return { OUTBOUND_PRIVATE_HOSTS: new URL(this.issuer).host };
  }

  /** Follows an authorization URL as a browser does, and returns where the provider sends it back to. */
  async browse(authorizationUrl: string): Promise<string> {
    const cookies = new Map<string, string>();
    for (let at = authorizationUrl, hop = 0; hop < 10; hop++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(at, { redirect: 'manual', headers: { cookie } });
      for (const set of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
        cookies.set(name!, value!);
      }
      const location = response.headers.get('location');
      if (!location)
        throw new Error(`The provider stays at ${at}: ${response.status} ${await response.text()}`);
      at = new URL(location, at).href;
      if (!at.startsWith(this.issuer)) return at;
    }
    throw new Error('The provider sends the browser round in circles.');
  }

  /** From the next exchange on, ID tokens as somebody else would have them, signed with the provider's key. */
  forge(claims: object, { alg = 'RS256', key = this.key, kid = 'own' }: Forgery = {}): void {
    this.instead.set('/token', (_request, response) => {
      const now = Math.floor(Date.now() / 1000);
      const base = { iss: this.issuer, aud: CLIENT_ID, sub: this.account, iat: now, exp: now + 60 };
      const token = new SignJWT({ ...base, ...claims }).setProtectedHeader({ alg, kid }).sign(key);
      void token.then((id_token) => json(response, { access_token: 'a', token_type: 'Bearer', id_token }));
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, this.issuer);
    this.asked.push(`${request.method} ${pathname}`);
    const other = this.instead.get(pathname);
    if (other) other(request, response);
    else if (pathname === '/interaction') await this.signIn(request, response);
    else await this.provider.callback()(request, response);
  }

  private async signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { account: accountId } = this;
    const { params } = await this.provider.interactionDetails(request, response);
    if (accountId === undefined)
      return this.provider.interactionFinished(request, response, { error: 'access_denied' });
    const grant = new this.provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope('openid');
    const consent = { grantId: await grant.save() };
    return this.provider.interactionFinished(request, response, { login: { accountId }, consent });
  }
}

interface Forgery {
  alg?: string;
  key?: Parameters<SignJWT['sign']>[0];
  kid?: string;
}

export const json = (response: ServerResponse, body: object): void => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
