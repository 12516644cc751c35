import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { BucketStore } from './bucket-store.js';
import { corsHeaders } from './cors.js';
import { answerError } from './error-response.js';
import { MultipartStore } from './multipart-store.js';
import { ObjectStore } from './object-store.js';
import { type SignatureOptions, authenticate } from './request-signature.js';
import { route } from './router.js';
import type { S3Context } from './s3-context.js';
import { S3Error, toS3Error } from './s3-error.js';
import { type S3Request, parseTarget } from './s3-request.js';
import { SigningKeys } from './sigv4.js';
import { StorageLayout } from './storage-layout.js';

const MAX_HEADER_BYTES = 32 * 1024;
/** A connection on which nothing moves at all; a slow body that does move may take as long as it likes. */
const IDLE_SOCKET_MS = 10 * 60 * 1000;
const KEEP_ALIVE_MS = 65_000;
const CLOSE_GRACE_MS = 10_000;

export interface S3ServerOptions {
  dataDir: string;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  credentials: { accessKeyId: string; secretAccessKey: string }[];
  /** Default us-east-1. */
  region?: string;
  clock?: () => Date;
  /** Default true. Without it an answer does not promise to survive a power failure; for tests only. */
  fsync?: boolean;
  /** Receives what was answered as InternalError; default: standard error. Never given a URL. */
  onError?: (error: unknown, requestId: string) => void;
}

/**
 * Starts a small, strict S3 endpoint (path-style addressing, AWS Signature Version 4 only). One process per data
 * directory: it caches what it knows of the disk.
 * @returns the port, and `close`, which lets running requests end (10 s at most)
 */
export async function startS3Server(
  options: S3ServerOptions,
): Promise<{ port: number; close(): Promise<void> }> {
  const fsync = options.fsync ?? true;
  const region = options.region ?? 'us-east-1';
  const clock = options.clock ?? (() => new Date());
  const layout = new StorageLayout(resolve(options.dataDir));
  layout.prepare();
  const objects = new ObjectStore(layout, fsync);
  await objects.recover();
  const buckets = new BucketStore(layout, objects, fsync);
  buckets.load();
  const service: Service = {
    objects,
    buckets,
    uploads: new MultipartStore(objects, fsync),
    region,
    now: () => clock().getTime(),
    onError: options.onError ?? logError,
    signatures: {
      secrets: new Map(options.credentials.map((one) => [one.accessKeyId, one.secretAccessKey])),
      region,
      keys: new SigningKeys(),
      now: () => clock().getTime(),
    },
  };

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: 0, // Node's default of five minutes would cut a slow upload of 1 GB
    headersTimeout: 60_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  });
  server.timeout = IDLE_SOCKET_MS;
  server.maxHeadersCount = 200;
  server.on('request', (incoming, response) => void handle(service, incoming, response, false));
  server.on('checkContinue', (incoming, response) => void handle(service, incoming, response, true));
  server.listen(options.port, options.host ?? '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

interface Service extends Omit<S3Context, 'request'> {
  signatures: SignatureOptions;
  onError: (error: unknown, requestId: string) => void;
}

function logError(error: unknown, requestId: string): void {
  process.stderr.write(
    `s3: request ${requestId} failed: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
}

async function handle(
  service: Service,
  incoming: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  const id = randomBytes(8).toString('hex').toUpperCase();
  response.setHeader('x-amz-request-id', id);
  let waiting = expectsContinue;
  // Errors of the connection are seen where the body is read or the answer written; elsewhere they do not matter.
  incoming.on('error', () => undefined);
  response.on('error', () => undefined);
  try {
    const request: S3Request = {
      id,
      method: incoming.method ?? '',
      ...parseTarget(incoming.url ?? ''),
      incoming,
      response,
      continueBody: () => {
        if (waiting) response.writeContinue();
        waiting = false;
      },
    };
    await serve(service, request);
    // A client that waits for 100 has not sent its body and does not need to; the connection cannot be reused safely.
    if (waiting) incoming.socket.end();
  } catch (error) {
    const answer = toS3Error(error);
    const gone = incoming.socket.destroyed || (incoming.readableAborted && !incoming.complete);
    if (answer.code === 'InternalError' && !gone) service.onError(error, id);
    await answerError(incoming, response, answer, { requestId: id, bodyUnsent: waiting });
  }
}

async function serve(service: Service, request: S3Request): Promise<void> {
  const { incoming, response } = request;
  const rules = request.bucket === undefined ? undefined : service.buckets.find(request.bucket)?.cors;
  const preflight = request.method === 'OPTIONS';
  const cors = rules && corsHeaders(rules, incoming, preflight);
  for (const [name, value] of Object.entries(cors ?? {})) response.setHeader(name, value);
  if (preflight) {
    if (!cors) throw new S3Error('AccessForbidden');
    response.writeHead(200, { 'content-length': '0' }).end();
    return;
  }
  request.authentication = authenticate(request, service.signatures);
  await route(request)({ ...service, request });
}
