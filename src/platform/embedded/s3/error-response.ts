import type { IncomingMessage, ServerResponse } from 'node:http';
import type { S3Error } from './s3-error.js';
import { xmlDocument, xmlElement } from './xml.js';

/** Up to this much of a refused body is read, so that its sender sees the answer and not a reset connection. */
const MAX_DRAINED_BYTES = 8 * 1024 * 1024;
const MAX_DRAIN_MS = 5_000;

/** The XML body of an error answer. */
export function errorBody(error: S3Error, resource: string, requestId: string): string {
  const more = Object.entries(error.details.elements ?? {}).map(([name, value]) => xmlElement(name, value));
  return xmlDocument(
    '<Error>' +
      xmlElement('Code', error.code) +
      xmlElement('Message', error.message) +
      more.join('') +
      xmlElement('Resource', resource) +
      xmlElement('RequestId', requestId) +
      '</Error>',
  );
}

/**
 * Answers with an error and leaves the connection in order: a body that was never asked for (100-continue) or that is
 * large is not waited for; the connection closes instead.
 */
export async function answerError(
  incoming: IncomingMessage,
  response: ServerResponse,
  error: S3Error,
  state: { requestId: string; bodyUnsent: boolean },
): Promise<void> {
  if (response.headersSent || incoming.socket.destroyed) {
    response.destroy();
    return;
  }
  const resource = (incoming.url ?? '').split('?')[0]!;
  const bodyless = incoming.method === 'HEAD' || error.status === 304;
  const body = bodyless ? '' : errorBody(error, resource, state.requestId);
  const left = bodyLeft(incoming);
  const closes = state.bodyUnsent || left > MAX_DRAINED_BYTES;
  response.writeHead(error.status, {
    ...error.details.headers,
    ...(bodyless
      ? {}
      : { 'content-type': 'application/xml', 'content-length': String(Buffer.byteLength(body)) }),
    ...(closes ? { connection: 'close' } : {}),
  });
  response.write(body);
  if (left > 0 && !state.bodyUnsent) await drain(incoming);
  response.end();
}

/** Upper bound of what may still come, in bytes. */
function bodyLeft(incoming: IncomingMessage): number {
  if (incoming.complete) return 0;
  const length = incoming.headers['content-length'];
  if (length !== undefined) return Number(length);
  return incoming.headers['transfer-encoding'] === undefined ? 0 : Infinity;
}

async function drain(incoming: IncomingMessage): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, MAX_DRAIN_MS);
    let seen = 0;
    function count(chunk: Buffer): void {
      seen += chunk.length;
      if (seen > MAX_DRAINED_BYTES) done();
    }
    function done(): void {
      clearTimeout(timer);
      incoming.off('data', count);
      incoming.pause();
      resolve();
    }
    incoming.on('data', count);
    incoming.once('end', done);
    incoming.once('close', done);
    incoming.resume();
  });
}
