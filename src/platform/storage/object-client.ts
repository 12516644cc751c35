import { createHash } from 'node:crypto';
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { SignatureV4 } from '@smithy/signature-v4';
import type { ConfigValues } from '../config/config.schema.js';
import { isTransient } from '../errors/translate-error.js';
import { type BucketAddress, bucketAddress } from './bucket-address.js';
import { BucketError, shortText } from './bucket-error.js';
import { NodeSha256 } from './node-sha256.js';

/** How the bucket is waited for, in milliseconds. */
interface Patience {
  /** Longest until a connection is there. */
  connect: number;
  /** Longest without a byte of an answer. */
  answer: number;
}

const ATTEMPTS = 3;
/** Before the second attempt, in milliseconds; twice as long before the third. */
const BACKOFF_MS = 100;
const MAX_SOCKETS = 64;
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * HEAD, GET, COPY and PUT of one object: what every upload, or every entry of an archive, passes through. Signed by the official package and sent by Node,
 * without the official client's walk through its middleware, which costs more than the request (docs/performance.md).
 * A part that is away or busy is tried three times, as the official client does.
 */
export class ObjectClient {
  private readonly address: BucketAddress;
  private readonly host: string;
  private readonly signer: SignatureV4;
  private readonly agent: http.Agent;
  private readonly request: typeof http.request;

  constructor(
    private readonly config: ConfigValues,
    private readonly patience: Patience,
  ) {
    this.address = bucketAddress(config.S3_ENDPOINT, config);
    const { protocol, hostname, port } = this.address;
    this.host = port === undefined ? hostname : `${hostname}:${port}`;
    const { Agent, request } = protocol === 'https:' ? https : http;
    this.agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
    this.request = request;
    this.signer = new SignatureV4({
      service: 's3',
      region: config.S3_REGION,
      credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
      sha256: NodeSha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
  }

  /** Its headers. @throws BucketError */
  head(key: string): Promise<http.IncomingHttpHeaders> {
    return retried(async () => (await this.ask('HEAD', key)).resume().headers);
  }

  /** The answer, whose body the caller reads or destroys. @throws BucketError */
  get(key: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return retried(() => this.ask('GET', key, headers));
  }

  /** Server-side, with the given headers instead of the source's metadata. @throws BucketError */
  copy(from: string, to: string, headers: Record<string, string>): Promise<void> {
    const source = `${this.config.S3_BUCKET}/${from}`;
    const directives = { 'x-amz-copy-source': source, 'x-amz-metadata-directive': 'REPLACE', ...headers };
    return retried(async () => {
      const body = await shortText(await this.ask('PUT', to, directives));
      // S3 may say 200 before it has copied, and then an error, or nothing, as the body.
      if (!body.includes('<CopyObjectResult')) throw new BucketError(503, body);
    });
  }

  /** Bytes that are in memory, with their SHA-256, by which the bucket checks what it got. @throws BucketError */
  put(key: string, bytes: Uint8Array, headers: Record<string, string>): Promise<void> {
    const checked = {
      'content-length': String(bytes.length),
      'x-amz-content-sha256': createHash('sha256').update(bytes).digest('hex'),
      ...headers,
    };
    return retried(async () => {
      (await this.ask('PUT', key, checked, bytes)).resume();
    });
  }

  destroy(): void {
    this.agent.destroy();
  }

  private async ask(
    method: string,
    key: string,
    headers: Record<string, string> = {},
    body?: Uint8Array,
  ): Promise<IncomingMessage> {
    const path = `${this.address.path}/${key}`; // keys are ids and slashes only: nothing to escape
    const to = { ...this.address, method, path };
    const all = { host: this.host, 'x-amz-content-sha256': EMPTY_SHA256, ...headers };
    const signed = await this.signer.sign({ ...to, query: {}, headers: all });
    const answer = await this.exchange({ ...to, headers: signed.headers, agent: this.agent }, body);
    if (answer.statusCode! < 300) return answer;
    const words = await shortText(answer);
    throw new BucketError(answer.statusCode!, method === 'HEAD' ? undefined : words);
  }

  private exchange(options: RequestOptions, body?: Uint8Array): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = this.request({ ...options, timeout: this.patience.answer });
      let waitedFor: ClientRequest | IncomingMessage = sent;
      const giveUp = () => waitedFor.destroy(tooSlow());
      sent.once('socket', (socket) => {
        if (!socket.connecting) return;
        const timer = setTimeout(giveUp, this.patience.connect);
        socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
      });
      sent.on('timeout', giveUp);
      sent.on('error', reject);
      sent.once('response', (answer) => resolve((waitedFor = answer)));
      sent.end(body);
    });
  }
}

async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++)
    try {
      return await attempt();
    } catch (error) {
      const refused = error instanceof BucketError && !isTransient(error);
      if (refused || tried === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * BACKOFF_MS * 2 ** tried));
    }
}

const tooSlow = (): Error =>
  Object.assign(new Error('the bucket did not answer in time'), { code: 'ETIMEDOUT' });
