import type { Route } from '../../src/platform/http/route-table.js';
import type { Answer } from './client.js';

class Captured extends Error {}

/** A request that was made ready and not sent: it can be, as often as one likes. */
export class CapturedCall {
  constructor(
    readonly url: string,
    private readonly request: RequestInit,
  ) {}

  async send(): Promise<Answer> {
    const response = await fetch(this.url, this.request);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parse(text) };
  }

  /** The same without a header. */
  without(name: string): CapturedCall {
    const headers = new Headers(this.request.headers);
    headers.delete(name);
    return new CapturedCall(this.url, { ...this.request, headers });
  }
}

/** Runs `call` up to its first request of the route, which is kept back; what it needs before is done. */
export async function captureCall(route: Route, call: () => Promise<unknown>): Promise<CapturedCall> {
  const path = new RegExp(`^${route.path.replaceAll(/:\w+/g, '[^/]+')}$`);
  const { fetch: send } = globalThis;
  let captured: CapturedCall | undefined;
  globalThis.fetch = async (input, init) => {
    const url = String(input);
    if (init?.method !== route.method || !path.test(new URL(url).pathname)) return send(input, init);
    captured = new CapturedCall(url, init);
    throw new Captured();
  };
  try {
    await call();
  } catch (error) {
    if (!(error instanceof Captured)) throw error;
  } finally {
    globalThis.fetch = send;
  }
  if (!captured) throw new Error(`${route.method} ${route.path} was never asked for.`);
  return captured;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
