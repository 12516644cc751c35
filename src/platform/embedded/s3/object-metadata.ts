import type { ObjectMetadata } from './object-file.js';
import { S3Error } from './s3-error.js';
import { type S3Request, header, setting, settingsWithPrefix } from './s3-request.js';

const USER_PREFIX = 'x-amz-meta-';
/** S3: the user metadata of one object, names and values. */
const MAX_USER_BYTES = 2048;
const STANDARD_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];
const DEFAULT_TYPE = 'binary/octet-stream';

/** What a request says about the object it writes. */
export type WrittenMetadata = Pick<ObjectMetadata, 'contentType' | 'headers' | 'user' | 'encryption'>;

/** Reads the metadata headers of a PUT, a copy or a new multipart upload. @throws S3Error MetadataTooLarge */
export function readWrittenMetadata(request: S3Request): WrittenMetadata {
  const headers: Record<string, string> = {};
  for (const name of STANDARD_HEADERS) {
    let value = header(request, name);
    if (name === 'content-encoding') value = withoutAwsChunked(value);
    if (value !== undefined) headers[name] = value;
  }
  const user: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of settingsWithPrefix(request, USER_PREFIX)) {
    const plain = name.slice(USER_PREFIX.length);
    bytes += plain.length + value.length;
    user[plain] = value;
  }
  if (bytes > MAX_USER_BYTES) throw new S3Error('MetadataTooLarge');
  const encryption = readEncryption(request);
  return {
    contentType: header(request, 'content-type') ?? DEFAULT_TYPE,
    headers,
    user,
    ...(encryption && { encryption }),
  };
}

/** `aws-chunked` describes the transfer, not the object. */
function withoutAwsChunked(encoding: string | undefined): string | undefined {
  const left = encoding
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part.toLowerCase() !== 'aws-chunked');
  return left && left.length > 0 ? left.join(',') : undefined;
}

/** The encryption asked for by the request: AES256 or none. @throws S3Error NotImplemented for keys of others */
export function readEncryption(request: S3Request): 'AES256' | undefined {
  const algorithm = setting(request, 'x-amz-server-side-encryption');
  if (algorithm === undefined) return undefined;
  if (algorithm !== 'AES256') throw new S3Error('NotImplemented', 'Only AES256 is implemented.');
  return 'AES256';
}

/** Settings that would change what is stored or who may read it, in ways that this server does not have. */
const REFUSED_PREFIXES = ['x-amz-grant-', 'x-amz-object-lock-', 'x-amz-server-side-encryption-customer-'];
const REFUSED = [
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-copy-source-server-side-encryption-customer-algorithm',
];

/** @throws S3Error NotImplemented rather than ignoring such a setting silently */
export function refuseUnsupportedSettings(request: S3Request): void {
  for (const [name] of settingsWithPrefix(request, 'x-amz-')) {
    if (REFUSED.includes(name) || REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      throw new S3Error('NotImplemented', `${name} is not implemented.`);
    }
  }
  const acl = setting(request, 'x-amz-acl');
  if (acl !== undefined && acl !== 'private' && acl !== 'bucket-owner-full-control') {
    throw new S3Error('NotImplemented', 'Access control lists are not implemented.');
  }
  const storageClass = setting(request, 'x-amz-storage-class');
  if (storageClass !== undefined && storageClass !== 'STANDARD') {
    throw new S3Error('NotImplemented', 'Only the storage class STANDARD is implemented.');
  }
}

/** Headers that describe a stored object in an answer; checksums only when they were asked for. */
export function describeObject(object: ObjectMetadata, withChecksum: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    ...object.headers,
    'content-type': object.contentType,
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.lastModified).toUTCString(),
    'accept-ranges': 'bytes',
  };
  for (const [name, value] of Object.entries(object.user)) headers[USER_PREFIX + name] = value;
  if (object.encryption) headers['x-amz-server-side-encryption'] = object.encryption;
  if (object.partCount !== undefined) headers['x-amz-mp-parts-count'] = String(object.partCount);
  if (withChecksum && object.checksum) {
    headers[`x-amz-checksum-${object.checksum.algorithm}`] = object.checksum.value;
    headers['x-amz-checksum-type'] = object.checksum.type;
  }
  return headers;
}
