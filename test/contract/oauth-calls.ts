import { type Answer, basic, Client, tokenFor } from '../support/client.js';
import { FORM } from '../support/signing-client.js';
import type { Tenant, World } from '../support/world.js';
import type { Calls } from './ingestion-calls.js';

/** The routes on which a client asks about a token, or ends it; `METHOD path` as in the route table. */
export function oauthCalls(worldOf: () => World, tenantOf: () => Tenant): Record<string, Calls> {
  const ask = (path: string, token: string, secret = tenantOf().clientSecret): Promise<Answer> =>
    new Client(worldOf().baseUrl).call('POST', path, new URLSearchParams({ token }).toString(), {
      ...FORM,
      authorization: basic(tenantOf().clientId, secret),
    });
  const callsOf = (path: string): Calls => ({
    success: async () => ask(path, await tokenFor(worldOf().baseUrl, tenantOf())),
    failure: async () => ask(path, await tokenFor(worldOf().baseUrl, tenantOf()), 'wrong'),
  });
  return Object.fromEntries(
    ['/oauth2/introspect', '/oauth2/revoke'].map((path) => [`POST ${path}`, callsOf(path)]),
  );
}
