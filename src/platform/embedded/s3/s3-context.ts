import type { BucketStore } from './bucket-store.js';
import type { MultipartStore } from './multipart-store.js';
import type { ObjectStore } from './object-store.js';
import { S3Error } from './s3-error.js';
import type { S3Request } from './s3-request.js';
import { xmlDocument } from './xml.js';

/** What a handler works with. */
export interface S3Context {
  request: S3Request;
  objects: ObjectStore;
  buckets: BucketStore;
  uploads: MultipartStore;
  region: string;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export type Handler = (context: S3Context) => Promise<void> | void;

/** Bucket and key of an object operation, after the bucket was found. @throws S3Error NoSuchBucket */
export function objectOf(context: S3Context): { bucket: string; key: string } {
  const { bucket, key } = context.request;
  if (bucket === undefined || key === undefined) throw new S3Error('InvalidURI');
  context.buckets.require(bucket);
  return { bucket, key };
}

/** Name of the bucket of a bucket operation, after it was found. @throws S3Error NoSuchBucket */
export function bucketOf(context: S3Context): string {
  const { bucket } = context.request;
  if (bucket === undefined) throw new S3Error('InvalidURI');
  context.buckets.require(bucket);
  return bucket;
}

/** Answers without a body. */
export function sendEmpty(context: S3Context, status: number, headers: Record<string, string> = {}): void {
  // 204 must not carry a length (RFC 9110 section 8.6).
  context.request.response
    .writeHead(status, status === 204 ? headers : { ...headers, 'content-length': '0' })
    .end();
}

/** Answers 200 with an XML element. */
export function sendXml(context: S3Context, element: string, headers: Record<string, string> = {}): void {
  const body = xmlDocument(element);
  context.request.response
    .writeHead(200, {
      ...headers,
      'content-type': 'application/xml',
      'content-length': String(Buffer.byteLength(body)),
    })
    .end(body);
}
