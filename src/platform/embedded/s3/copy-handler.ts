import { checkRead, readConditions, writeCondition } from './conditions.js';
import type { ObjectMetadata } from './object-file.js';
import { readWrittenMetadata, refuseUnsupportedSettings } from './object-metadata.js';
import { type S3Context, objectOf, sendXml } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { checkKey, header, setting } from './s3-request.js';
import { S3_NAMESPACE, xmlElement } from './xml.js';

/** Bucket and key of x-amz-copy-source: percent-encoded, with or without a leading slash. */
export function parseCopySource(source: string): { bucket: string; key: string } {
  const query = source.indexOf('?');
  if (query >= 0) {
    // Only a version can follow, and there are none; a literal ? of a key arrives encoded.
    throw new S3Error('NotImplemented', 'Versions are not implemented.');
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(source);
  } catch {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source is not URL-encoded.');
  }
  const m = /^\/?([^/]+)\/(.+)$/s.exec(decoded);
  if (!m) throw new S3Error('InvalidArgument', 'x-amz-copy-source must name a bucket and a key.');
  checkKey(m[2]!);
  return { bucket: m[1]!, key: m[2]! };
}

/** CopyObject: the new object shares the bytes of its source by hard links and has metadata of its own. */
export async function copyObject(context: S3Context): Promise<void> {
  const { request, objects } = context;
  const { bucket, key } = objectOf(context);
  refuseUnsupportedSettings(request);
  const from = parseCopySource(setting(request, 'x-amz-copy-source')!);
  context.buckets.require(from.bucket);
  const directive = setting(request, 'x-amz-metadata-directive')?.toUpperCase() ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    throw new S3Error('InvalidArgument', 'Unknown metadata directive.');
  }
  if (directive === 'COPY' && from.bucket === bucket && from.key === key) {
    throw new S3Error('InvalidRequest', 'This copy request would not change anything.');
  }
  const written = readWrittenMetadata(request);
  const condition = writeCondition((name) => header(request, name));
  const conditions = readConditions((name) => setting(request, name), 'x-amz-copy-source-');

  // The source's lock is held while its files are linked only, so that a copy onto itself does not wait for itself.
  const copied = await objects.prepare(from.bucket, from.key, (source): ObjectMetadata => {
    checkRead(conditions, source, true);
    const { partCount: _parts, pieces: _pieces, ...kept } = source;
    return {
      ...kept,
      bucket,
      key,
      lastModified: context.now(),
      ...(directive === 'REPLACE' && {
        contentType: written.contentType,
        headers: written.headers,
        user: written.user,
      }),
      ...(written.encryption && { encryption: written.encryption }),
    };
  });
  if (!copied) throw new S3Error('NoSuchKey', undefined, { elements: { Key: from.key } });
  await objects.finishAssembly(copied, condition);
  const { metadata } = copied;
  sendXml(
    context,
    `<CopyObjectResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('LastModified', new Date(metadata.lastModified).toISOString()) +
      xmlElement('ETag', `"${metadata.etag}"`) +
      '</CopyObjectResult>',
    metadata.encryption && { 'x-amz-server-side-encryption': metadata.encryption },
  );
}
