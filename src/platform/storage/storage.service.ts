import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import {
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { CONFIG } from '../config/config.module.js';
import { ConfigError, type ConfigValues } from '../config/config.schema.js';
import { exactly } from './exactly.js';
import { type MultipartId, MultipartUpload } from './multipart-upload.js';
import { ObjectClient } from './object-client.js';
import { Presigner, type SignedRequest } from './presigner.js';

/** An object as the bucket reports it. */
export interface ObjectFacts {
  key: string;
  size: number;
  etag: string;
  modifiedAt: Date;
}

const MAX_KEYS_PER_DELETE = 1000;

/** Longest until a connection is there, in milliseconds. */
const CONNECTION_LIMIT_MS = 3_000;
/**
 * Longest a request may go without an answer, in milliseconds. A bucket that hangs must not hold a worker, or the
 * reconciler's lock, for ever. Long enough for the server-side copy of the largest object one PUT can carry.
 */
const REQUEST_LIMIT_MS = 180_000;

/** The client warns on the console of what it then throws as well. */
const ignore = (): void => undefined;
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The bucket. Everything but presigning is network I/O: never call it inside a database transaction. */
@Injectable()
export class StorageService implements OnApplicationShutdown {
  private readonly client: S3Client;
  private readonly objects: ObjectClient;
  private readonly presigner: Presigner;
  private readonly bucket: string;

  constructor(@Inject(CONFIG) private readonly config: ConfigValues) {
    this.bucket = config.S3_BUCKET;
    this.presigner = new Presigner(config);
    this.objects = new ObjectClient(config, { connect: CONNECTION_LIMIT_MS, answer: REQUEST_LIMIT_MS });
    this.client = new S3Client({
      endpoint: config.S3_ENDPOINT,
      region: config.S3_REGION,
      forcePathStyle: config.S3_FORCE_PATH_STYLE,
      credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
      logger: SILENT,
      // Otherwise the CRC of an empty body is computed for requests that stream one later.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECTION_LIMIT_MS,
        requestTimeout: REQUEST_LIMIT_MS,
        throwOnRequestTimeout: true,
        socketTimeout: REQUEST_LIMIT_MS,
        httpAgent: { keepAlive: true, maxSockets: 64 },
      },
    });
  }

  /** @param size in bytes, which the caller then has to send exactly, like the type; undefined allows any */
  presignPut(key: string, size: number | undefined, now: Date, contentType?: string): Promise<SignedRequest> {
    return this.presigner.put(key, size, now, contentType);
  }

  presignGet(key: string, fileName: string, now: Date): Promise<SignedRequest> {
    return this.presigner.get(key, fileName, now);
  }

  /** What lies under the key, or undefined. */
  async head(key: string): Promise<ObjectFacts | undefined> {
    const headers = await unlessMissing(this.objects.head(key));
    return (
      headers && {
        key,
        size: Number(headers['content-length'] ?? 0),
        etag: headers.etag ?? '',
        modifiedAt: new Date(headers['last-modified'] ?? 0),
      }
    );
  }

  /** Pages of what lies under the prefix, in the order of the keys, after `startAfter` and up to `last` inclusive. */
  async *list(
    prefix: string,
    range: { startAfter?: string; last?: string } = {},
  ): AsyncGenerator<ObjectFacts[]> {
    let token: string | undefined;
    do {
      const page = await this.client.send(
        new ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: prefix,
          ContinuationToken: token,
          ...(!token && { StartAfter: range.startAfter }),
        }),
      );
      const objects = (page.Contents ?? []).map((item) => ({
        key: item.Key!,
        size: item.Size ?? 0,
        etag: item.ETag ?? '',
        modifiedAt: item.LastModified ?? new Date(0),
      }));
      const { last } = range;
      yield last === undefined ? objects : objects.filter(({ key }) => key <= last);
      if (last !== undefined && (objects.at(-1)?.key ?? '') >= last) return;
      token = page.NextContinuationToken;
    } while (token);
  }

  /** Server-side copy. Returns false when the source is not there. */
  async copy(from: string, to: string): Promise<boolean> {
    // The uploader chose the staging object's metadata; none of it is kept.
    const copied = this.objects.copy(from, to, { 'content-type': 'application/octet-stream' });
    return (await unlessMissing(copied.then(() => true))) ?? false;
  }

  /** The object's bytes as they stream, and its size as the bucket claims it. Undefined when there is none. */
  async read(key: string): Promise<{ size: number; bytes: AsyncIterable<Uint8Array> } | undefined> {
    const found = await unlessMissing(this.objects.get(key));
    return found && { size: Number(found.headers['content-length'] ?? 0), bytes: found };
  }

  /**
   * The object's bytes from `start` up to but not including `end`, as they stream, and the size of the whole object.
   * Undefined when there is none. An `end` past the last byte is fine; a `start` past it is the bucket's InvalidRange.
   * Whoever does not read the bytes to their end has to destroy them.
   */
  async readRange(
    key: string,
    start: number,
    end: number,
  ): Promise<{ size: number; bytes: Readable } | undefined> {
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start < end))
      throw new RangeError(`There are no bytes from ${start} to ${end}.`);
    const found = await unlessMissing(this.objects.get(key, { range: `bytes=${start}-${end - 1}` }));
    if (!found) return undefined;
    const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(found.headers['content-range'] ?? '') ?? [];
    if (first === String(start)) return { size: Number(size), bytes: found };
    found.destroy();
    throw new Error('The bucket answered with another range.');
  }

  /**
   * Writes an object of `size` bytes as they stream. A body of another length is an error and leaves nothing; what the
   * body throws is thrown.
   */
  async write(key: string, body: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    const abort = new AbortController();
    const source = exactly(body, size);
    let failure: unknown;
    // The client pipes the body and does not look for its errors: it would wait for an answer to half a request.
    source.on('error', (error) => {
      failure ??= error;
      abort.abort();
    });
    try {
      // A body may take its time, so long as it moves: the socket's own limit holds.
      await this.client.send(this.putCommand(key, source, size), {
        abortSignal: abort.signal,
        requestTimeout: 0,
      });
    } catch (error) {
      throw failure ?? error;
    } finally {
      source.destroy();
    }
  }

  async writeBytes(key: string, bytes: Uint8Array): Promise<void> {
    await this.objects.put(key, bytes, { 'content-type': 'application/octet-stream' });
  }

  /**
   * The same for what nobody is to remove before a day, its owner and administrators included (S3 Object Lock, compliance
   * mode; the bucket has to be made for it). @throws BucketError of a bucket that cannot
   */
  async writeLocked(key: string, bytes: Uint8Array, until: Date): Promise<void> {
    await this.objects.put(key, bytes, {
      'content-type': 'application/octet-stream',
      // S3 demands the one of a PUT with a lock, whatever else tells the hash.
      'content-md5': createHash('md5').update(bytes).digest('base64'),
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': until.toISOString(),
    });
  }

  /** For an object whose size nobody knows before it ends. */
  beginMultipart(key: string): Promise<MultipartUpload> {
    return MultipartUpload.begin(this.client, this.bucket, key);
  }

  /** Goes on with what {@link beginMultipart} began. @param etags of the parts that are there, in order */
  resumeMultipart(started: MultipartId, etags: readonly string[]): MultipartUpload {
    return MultipartUpload.resume(this.client, this.bucket, started, etags);
  }

  /** Gives up what {@link beginMultipart} began, in this process or in one that died. */
  abortMultipart(started: MultipartId): Promise<void> {
    return MultipartUpload.abort(this.client, this.bucket, started);
  }

  /** Deletes all that lies under a prefix, which ends with a slash. Returns what the bucket kept. */
  async deletePrefix(prefix: string): Promise<Set<string>> {
    if (!/^[^/].*\/$/.test(prefix)) throw new RangeError('A prefix to delete must end with a slash.');
    const kept = new Set<string>();
    for await (const page of this.list(prefix))
      for (const key of await this.delete(page.map(({ key }) => key))) kept.add(key);
    return kept;
  }

  /** Deletes the keys; those that are not there count as deleted. Returns what the bucket kept (an object lock, say). */
  async delete(keys: string[]): Promise<Set<string>> {
    const kept = new Set<string>();
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_DELETE) {
      const Objects = keys.slice(from, from + MAX_KEYS_PER_DELETE).map((Key) => ({ Key }));
      const request = { Bucket: this.bucket, Delete: { Objects, Quiet: true } };
      const { Errors } = await this.client.send(new DeleteObjectsCommand(request));
      for (const { Key } of Errors ?? []) if (Key) kept.add(Key);
    }
    return kept;
  }

  /** Throws when the bucket cannot be reached. */
  async ping(): Promise<void> {
    await this.client.send(new HeadBucketCommand({ Bucket: this.bucket }), { requestTimeout: 2_000 });
  }

  /** The algorithm every object of the bucket is encrypted with unless its writer says otherwise, if any. */
  async encryption(): Promise<string | undefined> {
    try {
      const found = await this.client.send(new GetBucketEncryptionCommand({ Bucket: this.bucket }));
      // Ceph RGW 16.2 does not know the question, and answers another one with 200: only a rule counts.
      const rules = found.ServerSideEncryptionConfiguration?.Rules ?? [];
      return rules[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
    } catch (error) {
      if ((error as Error).name === 'ServerSideEncryptionConfigurationNotFoundError') return undefined;
      throw error;
    }
  }

  /** @throws ConfigError when the bucket has to encrypt what lies in it, and does not say that it does */
  async assertEncrypted(): Promise<void> {
    if (!this.config.S3_REQUIRE_ENCRYPTION) return;
    const found = await this.encryption().catch((error: unknown) => {
      const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
      const status = $metadata?.httpStatusCode ?? 503;
      if (status >= 500 && status !== 501) throw error; // the bucket is away, which is nobody's configuration
      throw new ConfigError([
        `S3_REQUIRE_ENCRYPTION: the bucket ${this.bucket} does not tell whether it encrypts (${name}). Allow ` +
          's3:GetEncryptionConfiguration, or set this variable to false where the disks below it are encrypted',
      ]);
    });
    if (!found)
      throw new ConfigError([
        `S3_REQUIRE_ENCRYPTION: the bucket ${this.bucket} has no default encryption. Give it one, or set this ` +
          'variable to false where the disks below it are encrypted',
      ]);
  }

  private putCommand(key: string, body: Readable, size: number): PutObjectCommand {
    return new PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: body,
      ContentLength: size,
      ContentType: 'application/octet-stream',
    });
  }

  onApplicationShutdown(): void {
    this.client.destroy();
    this.objects.destroy();
  }
}

/** By name, never by status: a missing bucket is a 404 too, and says nothing about the object. */
async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    const { name } = error as { name?: string };
    if (name === 'NoSuchKey' || name === 'NotFound') return undefined;
    throw error;
  }
}
