import { invalidClient, invalidRequest } from './auth.errors.js';
import { claimedClientId, JWT_BEARER } from './client-assertion.js';

/** A client's id and secret as a request presents them. */
export interface ClientCredentials {
  clientId: string;
  clientSecret: string;
}

/** A client's statement about itself, signed with its own key (RFC 7523, section 2.2). Nothing of it is verified yet. */
export interface ClientAssertion {
  /** Whose it says it is. */
  clientId: string;
  assertion: string;
}

/** The parameters of a form by which a client says who it is. */
export interface ClientParameters {
  client_id?: string;
  client_secret?: string;
  client_assertion_type?: string;
  client_assertion?: string;
}

/**
 * Reads whichever way of client authentication a request uses: a secret, or `private_key_jwt`. Two at once are refused
 * (RFC 6749, section 2.3).
 * @throws invalid_request, invalid_client
 */
export function readClientAuthentication(
  authorization: string | undefined,
  body: ClientParameters,
): ClientCredentials | ClientAssertion {
  const { client_id, client_secret, client_assertion, client_assertion_type } = body;
  if (client_assertion === undefined && client_assertion_type === undefined)
    return readClientCredentials(authorization, body);
  if (authorization !== undefined || client_secret !== undefined)
    throw invalidRequest('Use one way of client authentication, not two.');
  if (!client_assertion || !client_assertion_type)
    throw invalidRequest('client_assertion and client_assertion_type go together.');
  if (client_assertion_type !== JWT_BEARER) throw invalidClient();
  const clientId = claimedClientId(client_assertion);
  if (clientId === undefined) throw invalidClient();
  if (client_id !== undefined && client_id !== clientId)
    throw invalidRequest('client_id differs from the one that authenticated.');
  return { clientId, assertion: client_assertion };
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
