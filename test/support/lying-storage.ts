import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pause } from './uploader.js';

/** A request as a rule sees it. */
export interface Asked {
  method: string;
  /** Path with the bucket, without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
}

/**
 * What to do with a request. `halve`: the answer's body is cut in the middle, and the connection with it. `fail`: 500
 * after it was done. `pretend`: this answer, and nothing is done. `delay`: as asked, later. `linger`: as asked, and only the
 * answer later. `rewrite`: another body. `break`: the connection is cut with half of the request through. `hush`: it is cut
 * when all is done, before the answer.
 */
export type Lie =
  | { kind: 'halve' }
  | { kind: 'fail' }
  | { kind: 'pretend'; status: number; body: string }
  | { kind: 'delay'; milliseconds: number }
  | { kind: 'linger'; milliseconds: number }
  | { kind: 'break' }
  | { kind: 'hush' }
  | { kind: 'rewrite'; body: (body: string) => string };

/** Stands between us and a bucket and, where its rule says so, does not tell the truth. */
export class LyingStorage {
  /** Undefined: the truth. */
  rule: (asked: Asked) => Lie | undefined = () => undefined;
  /** How often it lied. */
  lies = 0;
  private readonly server = createServer((asked, answer) => void this.answer(asked, answer));

  private constructor(private readonly target: number) {}

  static async before(target: number): Promise<LyingStorage> {
    const liar = new LyingStorage(target);
    liar.server.keepAliveTimeout = 65_000; // as the server behind it: nobody writes into a connection that just ended
    await new Promise<void>((resolve) => liar.server.listen(0, '127.0.0.1', resolve));
    return liar;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    asked.on('error', () => undefined);
    answer.on('error', () => undefined);
    const url = new URL(asked.url!, 'http://bucket');
    const lie = this.rule({
      method: asked.method!,
      path: url.pathname,
      query: url.searchParams,
      headers: asked.headers,
    });
    if (lie) this.lies++;
    if (lie?.kind === 'pretend') {
      asked.resume();
      return void answer.writeHead(lie.status, { 'content-type': 'application/xml' }).end(lie.body);
    }
    if (lie?.kind === 'delay') await pause(lie.milliseconds);
    const { method, url: path, headers } = asked; // with the Host we were asked by, which is signed
    const inner = request({ host: '127.0.0.1', port: this.target, method, path, headers }, (told) => {
      void this.tell(told, answer, lie);
    });
    inner.on('error', () => answer.destroy());
    asked.once('close', () => {
      if (!asked.complete) inner.destroy();
    });
    if (lie?.kind === 'break')
      return void asked.once('data', (piece: Buffer) =>
        inner.write(piece.subarray(0, piece.length / 2), () => asked.destroy()),
      );
    asked.pipe(inner);
  }

  private async tell(told: IncomingMessage, answer: ServerResponse, lie: Lie | undefined): Promise<void> {
    const body = Buffer.concat(await told.toArray());
    if (lie?.kind === 'hush') return void answer.destroy();
    if (lie?.kind === 'linger') await pause(lie.milliseconds);
    if (lie?.kind === 'fail')
      return void answer
        .writeHead(500, { 'content-type': 'application/xml' })
        .end('<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>');
    if (lie?.kind === 'rewrite') {
      const other = lie.body(body.toString());
      const { 'transfer-encoding': _, ...others } = told.headers;
      const headers = { ...others, 'content-length': Buffer.byteLength(other) };
      return void answer.writeHead(told.statusCode!, headers).end(other);
    }
    answer.writeHead(told.statusCode!, told.headers);
    if (lie?.kind === 'halve')
      return void answer.write(body.subarray(0, body.length / 2), () => answer.destroy());
    answer.end(body);
  }
}
