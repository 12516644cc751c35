import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import {
  type GetObjectCommandInput,
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

/** What a server is known not to do; each flag says what the contract then leaves out. */
export interface S3Capabilities {
  /** Verifies x-amz-checksum-* of bodies. */
  checksums: boolean;
  /** Takes aws-chunked bodies with a trailer. */
  chunkedTrailer: boolean;
  /** Echoes x-amz-server-side-encryption: AES256. */
  encryptionHeader: boolean;
  /** Honours x-amz-copy-source-if-match. */
  conditionalCopy: boolean;
  /** Honours If-None-Match when a multipart upload completes. */
  conditionalComplete: boolean;
  /** Has a default encryption of buckets. A server without must not pretend to. */
  bucketEncryption: boolean;
  /**
   * Refuses x-amz-* headers that were not signed. On a server that does not, the holder of any presigned PUT could read
   * what the signer can read (by x-amz-copy-source): the contract then holds with S3_SIGN_ABSENT_HEADERS.
   */
  refusesUnsignedHeaders: boolean;
  /** Refuses presigned URLs dated more than 15 minutes ahead. */
  refusesFuture: boolean;
  /** Says MissingContentLength (411) when a signed length is not sent, rather than that the signature is wrong. */
  missingLength: boolean;
  /** Refuses to complete an upload whose parts are not listed in order. */
  partOrder: boolean;
  /** Says NoSuchUpload when an aborted upload is completed. */
  noSuchUpload: boolean;
}

export interface S3Connection {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** A bucket of a server under test, and who talks to it. */
export interface Session {
  client: S3Client;
  connection: S3Connection;
  bucket: string;
}

export interface S3Target {
  name: string;
  capabilities: S3Capabilities;
  start(): Promise<S3Connection>;
  stop(): Promise<void>;
  /** A server of its own whose resident memory can be read, in MB; absent when that says nothing. */
  startMeasured?(): Promise<{ connection: S3Connection; residentMb(): number; stop(): Promise<void> }>;
}

/** The client as the product configures it. */
export function clientOf(connection: S3Connection): S3Client {
  return new S3Client({
    endpoint: connection.endpoint,
    region: connection.region,
    credentials: connection.credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
  });
}

/** Content type of presigned PUTs that name none; has to be sent. */
export const DEFAULT_TYPE = 'application/octet-stream';
const SIGNED = new Set([
  'host',
  'content-type',
  'content-length',
  'if-none-match',
  'content-md5',
  'x-amz-checksum-sha256',
]);
const KEPT_AS_HEADERS = new Set(['if-none-match', 'x-amz-checksum-sha256', 'content-md5']);

export function presignPut(
  client: S3Client,
  input: PutObjectCommandInput,
  options: { expiresIn?: number; signingDate?: Date } = {},
): Promise<string> {
  // The SDK would sign a content type of its own choice when none is given.
  return getSignedUrl(client, new PutObjectCommand({ ContentType: DEFAULT_TYPE, ...input }), {
    expiresIn: 900,
    signableHeaders: SIGNED,
    unhoistableHeaders: KEPT_AS_HEADERS,
    ...options,
  });
}

export function presignGet(
  client: S3Client,
  input: GetObjectCommandInput,
  options: { expiresIn?: number; signingDate?: Date } = {},
): Promise<string> {
  return getSignedUrl(client, new GetObjectCommand(input), { expiresIn: 900, ...options });
}

export interface Answer {
  status: number;
  code: string | undefined;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** A plain HTTP request: no normalising of paths, no headers of its own. A Buffer gets a Content-Length. */
export function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: Buffer | AsyncIterable<Buffer> } = {},
): Promise<Answer> {
  const parts = /^http:\/\/([^/:]+):(\d+)(.*)$/.exec(url)!;
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const length: Record<string, number> = Buffer.isBuffer(body) ? { 'content-length': body.length } : {};
    const request = http.request(
      {
        host: parts[1],
        port: Number(parts[2]),
        path: parts[3],
        method,
        headers: { ...length, ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const code = /<Code>(.*?)<\/Code>/.exec(bytes.toString('latin1'))?.[1];
          resolve({ status: response.statusCode ?? 0, code, headers: response.headers, body: bytes });
        });
      },
    );
    request.on('error', reject);
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else
      void (async () => {
        for await (const chunk of body) request.write(chunk);
        request.end();
      })();
  });
}

/** The outcome of an SDK call as `status Code`, for refusals. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'accepted';
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return `${$metadata?.httpStatusCode ?? ''} ${name}`;
  }
}

export function sha256Base64(data: Buffer): string {
  return createHash('sha256').update(data).digest('base64');
}

export function md5Hex(data: Buffer): string {
  return createHash('md5').update(data).digest('hex');
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(8).toString('hex')}`;
}
