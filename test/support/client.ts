import type { Tenant } from './world.js';

export interface Answer<T = any> {
  status: number;
  headers: Headers;
  body: T;
  text: string;
}

/** Calls the API over HTTP as its callers do. */
export class Client {
  constructor(
    private readonly baseUrl: string,
    private readonly token?: string,
  ) {}

  async call<T = any>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.baseUrl + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.token && { authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parse(text) as T };
  }

  get = <T = any>(path: string, headers?: Record<string, string>) =>
    this.call<T>('GET', path, undefined, headers);
  post = <T = any>(path: string, body?: unknown, headers?: Record<string, string>) =>
    this.call<T>('POST', path, body, headers);
  delete = <T = any>(path: string) => this.call<T>('DELETE', path);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** An access token by the client credentials grant. */
export async function tokenFor(
  baseUrl: string,
  { clientId, clientSecret }: Pick<Tenant, 'clientId' | 'clientSecret'>,
  scope?: string,
): Promise<string> {
  const response = await fetch(`${baseUrl}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: basic(clientId, clientSecret) },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
  });
  const { access_token } = (await response.json()) as { access_token: string };
  return access_token;
}

export const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** PUTs bytes to a presigned URL; returns the status. */
export async function put(
  url: string,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
): Promise<number> {
  const response = await fetch(url, { method: 'PUT', body: bytes as Uint8Array<ArrayBuffer>, headers });
  await response.text();
  return response.status;
}

/** Asks until `done` accepts the answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  done: (answer: T) => boolean,
  limitMs = 30_000,
): Promise<T> {
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (Date.now() - begun > limitMs)
      throw new Error(`It never came about; last seen: ${JSON.stringify(answer).slice(0, 2000)}`);
  }
}
