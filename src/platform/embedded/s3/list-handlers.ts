import { type ListPage, listPage } from './listing.js';
import type { ObjectMetadata } from './object-file.js';
import { type S3Context, bucketOf, sendXml } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { queryInteger, queryValue } from './s3-request.js';
import { encodeRfc3986 } from './sigv4.js';
import { S3_NAMESPACE, xmlElement } from './xml.js';

const MAX_KEYS = 1000;

interface Common {
  bucket: string;
  prefix: string;
  delimiter: string;
  maxKeys: number;
  encode: (text: string) => string;
  encoding: string | undefined;
}

function readCommon(context: S3Context): Common {
  const { request } = context;
  const encoding = queryValue(request, 'encoding-type');
  if (encoding !== undefined && encoding !== 'url')
    throw new S3Error('InvalidArgument', 'Invalid Encoding Method.');
  return {
    bucket: bucketOf(context),
    prefix: queryValue(request, 'prefix') ?? '',
    delimiter: queryValue(request, 'delimiter') ?? '',
    maxKeys: Math.min(queryInteger(request, 'max-keys', MAX_KEYS, 0, 0x7fffffff), MAX_KEYS),
    encode: encoding ? (text) => encodeRfc3986(text, true) : (text) => text,
    encoding,
  };
}

function contents(object: ObjectMetadata, encode: Common['encode'], owner: boolean): string {
  return (
    '<Contents>' +
    xmlElement('Key', encode(object.key)) +
    xmlElement('LastModified', new Date(object.lastModified).toISOString()) +
    xmlElement('ETag', `"${object.etag}"`) +
    (object.checksum ? xmlElement('ChecksumAlgorithm', object.checksum.algorithm.toUpperCase()) : '') +
    xmlElement('Size', object.size) +
    (owner ? '<Owner><ID>scandock</ID><DisplayName>scandock</DisplayName></Owner>' : '') +
    xmlElement('StorageClass', 'STANDARD') +
    '</Contents>'
  );
}

function shared(common: Common, page: ListPage, owner: boolean): string {
  return (
    xmlElement('Name', common.bucket) +
    xmlElement('Prefix', common.encode(common.prefix)) +
    (common.delimiter ? xmlElement('Delimiter', common.encode(common.delimiter)) : '') +
    xmlElement('MaxKeys', common.maxKeys) +
    xmlElement('EncodingType', common.encoding) +
    xmlElement('IsTruncated', page.truncated) +
    page.objects.map((object) => contents(object, common.encode, owner)).join('') +
    page.prefixes
      .map((prefix) => `<CommonPrefixes>${xmlElement('Prefix', common.encode(prefix))}</CommonPrefixes>`)
      .join('')
  );
}

/** ListObjectsV2. */
export async function listObjectsV2(context: S3Context): Promise<void> {
  const { request } = context;
  const common = readCommon(context);
  const token = queryValue(request, 'continuation-token');
  const startAfter = queryValue(request, 'start-after');
  const after = token === undefined ? (startAfter ?? '') : decodeToken(token);
  const page = await listPage(context.objects, common.bucket, { ...common, after });
  sendXml(
    context,
    `<ListBucketResult xmlns="${S3_NAMESPACE}">` +
      shared(common, page, queryValue(request, 'fetch-owner') === 'true') +
      xmlElement('KeyCount', page.objects.length + page.prefixes.length) +
      xmlElement('ContinuationToken', token) +
      (page.truncated && page.last !== undefined
        ? xmlElement('NextContinuationToken', encodeToken(page.last))
        : '') +
      (startAfter === undefined ? '' : xmlElement('StartAfter', common.encode(startAfter))) +
      '</ListBucketResult>',
  );
}

/** ListObjects, version 1. */
export async function listObjectsV1(context: S3Context): Promise<void> {
  const common = readCommon(context);
  const marker = queryValue(context.request, 'marker') ?? '';
  const page = await listPage(context.objects, common.bucket, { ...common, after: marker });
  sendXml(
    context,
    `<ListBucketResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('Marker', common.encode(marker)) +
      (page.truncated && page.last !== undefined ? xmlElement('NextMarker', common.encode(page.last)) : '') +
      shared(common, page, true) +
      '</ListBucketResult>',
  );
}

function encodeToken(last: string): string {
  return Buffer.from(`1:${last}`).toString('base64url');
}

function decodeToken(token: string): string {
  const text = /^[A-Za-z0-9_-]*$/.test(token) ? Buffer.from(token, 'base64url').toString('utf8') : '';
  if (!text.startsWith('1:'))
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect.');
  return text.slice(2);
}
