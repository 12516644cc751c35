import { invalidClient, invalidRequest } from './auth.errors.js';

/** A client's id and secret as a request presents them. */
export interface ClientCredentials {
  clientId: string;
  clientSecret: string;
}

/**
 * Reads `client_secret_basic` or `client_secret_post` (RFC 6749, section 2.3.1). Both at once is refused. Basic values
 * are tried as they are and form-decoded: the RFC has them percent-encoded, few clients do it, and ours are
 * alphanumeric, so that both readings agree.
 */
export function readClientCredentials(
  authorization: string | undefined,
  body: { client_id?: string; client_secret?: string } = {},
): ClientCredentials {
  const basic = authorization === undefined ? undefined : readBasic(authorization);
  if (basic && body.client_secret !== undefined)
    throw invalidRequest('Use one way of client authentication, not two.');
  if (basic && body.client_id !== undefined && body.client_id !== basic.clientId)
    throw invalidRequest('client_id differs from the one that authenticated.');
  if (basic) return basic;
  if (!body.client_id || !body.client_secret) throw invalidClient();
  return { clientId: body.client_id, clientSecret: body.client_secret };
}

function readBasic(authorization: string): ClientCredentials {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization) ?? [];
  const pair = encoded && Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair ? pair.indexOf(':') : -1;
  if (!pair || colon < 1) throw invalidClient();
  return { clientId: formDecode(pair.slice(0, colon)), clientSecret: formDecode(pair.slice(colon + 1)) };
}

function formDecode(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch {
    return value; // a bare percent sign: it was not encoded
  }
}
