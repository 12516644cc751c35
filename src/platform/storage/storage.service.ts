import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { Presigner, type SignedRequest } from './presigner.js';

/** An object as the bucket reports it. */
export interface ObjectFacts {
  key: string;
  size: number;
  etag: string;
  modifiedAt: Date;
}

const MAX_KEYS_PER_DELETE = 1000;

/** Longest a request may go without an answer, in milliseconds. */
const REQUEST_LIMIT_MS = 180_000;

/** The bucket. Everything but presigning is network I/O: never call it inside a database transaction. */
@Injectable()
export class StorageService implements OnApplicationShutdown {
  private readonly client: S3Client;
  private readonly presigner: Presigner;
  private readonly bucket: string;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    this.bucket = config.S3_BUCKET;
    this.presigner = new Presigner(config);
    this.client = new S3Client({
      endpoint: config.S3_ENDPOINT,
      region: config.S3_REGION,
      forcePathStyle: config.S3_FORCE_PATH_STYLE,
      credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
      // Otherwise the CRC of an empty body is computed for requests that stream one later.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 3_000,
        // A bucket that hangs must not hold a worker, or the reconciler's lock, for ever. Long enough for the server-side
        // copy of the largest object one PUT can carry.
        requestTimeout: REQUEST_LIMIT_MS,
        throwOnRequestTimeout: true,
        socketTimeout: REQUEST_LIMIT_MS,
        httpAgent: { keepAlive: true, maxSockets: 64 },
      },
    });
  }

  presignPut(key: string, size: number, now: Date): Promise<SignedRequest> {
    return this.presigner.put(key, size, now);
  }

  presignGet(key: string, fileName: string, now: Date): Promise<SignedRequest> {
    return this.presigner.get(key, fileName, now);
  }

  /** What lies under the key, or undefined. */
  async head(key: string): Promise<ObjectFacts | undefined> {
    try {
      const found = await this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }));
      return {
        key,
        size: found.ContentLength ?? 0,
        etag: found.ETag ?? '',
        modifiedAt: found.LastModified ?? new Date(0),
      };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
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
    try {
      await this.client.send(
        new CopyObjectCommand({
          Bucket: this.bucket,
          Key: to,
          CopySource: `${this.bucket}/${from}`,
          MetadataDirective: 'REPLACE', // the uploader chose the staging object's metadata; none of it is kept
          ContentType: 'application/octet-stream',
        }),
      );
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** The object's bytes as they stream, and its size as the bucket claims it. Undefined when there is none. */
  async read(key: string): Promise<{ size: number; bytes: AsyncIterable<Uint8Array> } | undefined> {
    try {
      const found = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
      return { size: found.ContentLength ?? 0, bytes: found.Body as unknown as AsyncIterable<Uint8Array> };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
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

  onApplicationShutdown(): void {
    this.client.destroy();
  }
}

/** By name, never by status: a missing bucket is a 404 too, and says nothing about the object. */
function isMissing(error: unknown): boolean {
  const { name } = error as { name?: string };
  return name === 'NoSuchKey' || name === 'NotFound';
}
