import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The pure part of AWS Signature Version 4 as S3 applies it (AWS "Authenticating Requests (AWS Signature Version 4)"):
 * the path is encoded once and never normalised.
 */
export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** RFC 3986 encoding with upper case hex; `/` is kept in paths only. */
export function encodeRfc3986(value: string, keepSlash = false): string {
  const encoded = encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return keepSlash ? encoded.replaceAll('%2F', '/') : encoded;
}

/** Query parameters, encoded and sorted by name, then value. */
export function canonicalQuery(parameters: readonly (readonly [string, string])[]): string {
  return parameters
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .sort((a, b) => (a[0] === b[0] ? compare(a[1], b[1]) : compare(a[0], b[0])))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A header's canonical value: each value trimmed, runs of spaces folded, repeated headers joined by a comma. */
export function canonicalHeaderValue(values: readonly string[]): string {
  return values.map((value) => value.trim().replace(/ +/g, ' ')).join(',');
}

export interface CanonicalInput {
  method: string;
  /** Decoded path, with the leading slash. */
  path: string;
  /** Decoded query parameters without X-Amz-Signature. */
  query: readonly (readonly [string, string])[];
  /** Lower case names, sorted. */
  signedHeaders: readonly string[];
  /** All values of a header, empty when it was not sent. */
  header: (name: string) => readonly string[];
  payloadHash: string;
}

/** The canonical request, whose SHA-256 goes into the string to sign. */
export function canonicalRequest(input: CanonicalInput): string {
  return [
    input.method,
    encodeRfc3986(input.path, true),
    canonicalQuery(input.query),
    ...input.signedHeaders.map((name) => `${name}:${canonicalHeaderValue(input.header(name))}`),
    '',
    input.signedHeaders.join(';'),
    input.payloadHash,
  ].join('\n');
}

/** `yyyymmdd/region/service/aws4_request`. */
export function scopeOf(date: string, region: string, service: string): string {
  return `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
}

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The string to sign. `date` is `yyyymmddThhmmssZ`. */
export function stringToSign(date: string, scope: string, canonical: string): string {
  return `${ALGORITHM}\n${date}\n${scope}\n${sha256Hex(canonical)}`;
}

export function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** Derives the signing key of one day, region and service. */
export function deriveSigningKey(secret: string, day: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request');
}

/** Remembers derived keys: four HMACs per request otherwise. Two days of each credential are enough around midnight. */
export class SigningKeys {
  private readonly cache = new Map<string, Buffer>();

  constructor(private readonly limit = 64) {}

  get(accessKeyId: string, secret: string, day: string, region: string, service: string): Buffer {
    const id = `${accessKeyId}/${day}/${region}/${service}`;
    const known = this.cache.get(id);
    if (known) return known;
    if (this.cache.size >= this.limit) this.cache.clear();
    const key = deriveSigningKey(secret, day, region, service);
    this.cache.set(id, key);
    return key;
  }
}

/** Compares two hexadecimal signatures without telling where they differ. */
export function sameSignature(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Milliseconds since the epoch of `yyyymmddThhmmssZ`; undefined when it is none. */
export function parseAmzDate(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!m) return undefined;
  const time = Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}Z`);
  return Number.isNaN(time) ? undefined : time;
}
