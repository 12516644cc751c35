import { validateHeaderValue } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseRange } from './byte-range.js';
import { checkRead, readConditions, writeCondition } from './conditions.js';
import type { ObjectMetadata } from './object-file.js';
import { describeObject, readWrittenMetadata, refuseUnsupportedSettings } from './object-metadata.js';
import { OpenObject } from './object-reader.js';
import { planBody, receiveBody } from './request-body.js';
import { type S3Context, objectOf, sendEmpty } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { header, queryValue, setting } from './s3-request.js';

const OVERRIDES = [
  'content-type',
  'content-language',
  'expires',
  'cache-control',
  'content-disposition',
  'content-encoding',
];

/** PutObject: nothing is visible before the whole body was received, verified and made durable. */
export async function putObject(context: S3Context): Promise<void> {
  const { request, objects } = context;
  const { bucket, key } = objectOf(context);
  refuseUnsupportedSettings(request);
  const written = readWrittenMetadata(request);
  const plan = planBody(request);
  const condition = writeCondition((name) => header(request, name));
  condition?.(objects.head(bucket, key)); // early, to spare the body; decided when committing
  const file = objects.newFile();
  let metadata: ObjectMetadata;
  try {
    const digests = await receiveBody(plan, (chunk) => file.write(chunk));
    metadata = {
      bucket,
      key,
      size: plan.size,
      etag: digests.md5!,
      lastModified: context.now(),
      ...written,
      ...(digests.checksum && { checksum: { ...digests.checksum, type: 'FULL_OBJECT' } }),
    };
    await file.finish(metadata);
    context.buckets.require(bucket);
    await objects.commit(file, metadata, condition);
  } catch (error) {
    await objects.discard(file);
    throw error;
  }
  sendEmpty(context, 200, {
    etag: `"${metadata.etag}"`,
    ...(metadata.encryption && { 'x-amz-server-side-encryption': metadata.encryption }),
    ...(metadata.checksum && {
      [`x-amz-checksum-${metadata.checksum.algorithm}`]: metadata.checksum.value,
      'x-amz-checksum-type': metadata.checksum.type,
    }),
  });
}

/** HeadObject. */
export function headObject(context: S3Context): void {
  const { bucket, key } = objectOf(context);
  const object = context.objects.head(bucket, key);
  if (!object) throw new S3Error('NoSuchKey');
  const { status, headers } = describeRead(context, object);
  context.request.response.writeHead(status, headers).end();
}

/** GetObject, whole or one range. */
export async function getObject(context: S3Context): Promise<void> {
  const { bucket, key } = objectOf(context);
  const object = OpenObject.open(context.objects, bucket, key);
  if (!object) throw new S3Error('NoSuchKey', undefined, { elements: { Key: key } });
  let read: ReturnType<typeof describeRead>;
  try {
    read = describeRead(context, object.metadata);
  } catch (error) {
    object.close();
    throw error;
  }
  const { response } = context.request;
  response.writeHead(read.status, read.headers);
  // A client that goes away is its own business; a file that cannot be read to its end cuts the connection.
  await pipeline(object.read(read.range), response);
}

function describeRead(context: S3Context, object: ObjectMetadata) {
  const { request } = context;
  if (queryValue(request, 'partNumber') !== undefined) throw new S3Error('NotImplemented');
  checkRead(
    readConditions((name) => header(request, name)),
    object,
  );
  const partial = parseRange(header(request, 'range'), object.size);
  const range = partial ?? { start: 0, end: object.size - 1 };
  const checksumMode = setting(request, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  const headers = describeObject(object, checksumMode && !partial);
  headers['content-length'] = String(range.end - range.start + 1);
  if (partial) headers['content-range'] = `bytes ${range.start}-${range.end}/${object.size}`;
  for (const name of OVERRIDES) {
    const value = queryValue(request, `response-${name}`);
    if (value === undefined) continue;
    try {
      validateHeaderValue(name, value);
    } catch {
      throw new S3Error('InvalidArgument', `response-${name} is not a valid header value.`);
    }
    headers[name] = value;
  }
  return { status: partial ? 206 : 200, headers, range };
}

/** DeleteObject: 204 whether or not it was there. */
export async function deleteObject(context: S3Context): Promise<void> {
  const { bucket, key } = objectOf(context);
  if (queryValue(context.request, 'versionId') !== undefined) throw new S3Error('NotImplemented');
  await context.objects.delete(bucket, key);
  sendEmpty(context, 204);
}
