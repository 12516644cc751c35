/** A client's credentials. */
export interface ClientCredentials {
  clientId: string;
  clientSecret: string;
}

/** A token of the client for so much and no more. */
export async function tokenOf(
  baseUrl: string,
  { clientId, clientSecret }: ClientCredentials,
  scope: string,
): Promise<string> {
  const issued = await fetch(`${baseUrl}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  });
  return (await answerOf<{ access_token: string }>(issued)).access_token;
}

/** GETs, or POSTs the body where there is one. */
export async function call<T>(url: string, token: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return answerOf<T>(response);
}

async function answerOf<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
