import type { IncomingMessage, ServerResponse } from 'node:http';
import { S3Error } from './s3-error.js';

const MAX_KEY_BYTES = 1024;

/** How the body of a request is protected, as the signature says. */
export interface Authentication {
  accessKeyId: string;
  presigned: boolean;
  /** The value of x-amz-content-sha256 that was signed. */
  payload: string;
  /** What the signatures of a chunked body continue from. */
  chain: { signature: string; date: string; scope: string; key: Buffer };
}

/** A request taken apart; nothing in it is trusted before `authentication` is set. */
export interface S3Request {
  id: string;
  method: string;
  /** Decoded path. */
  path: string;
  bucket: string | undefined;
  key: string | undefined;
  query: readonly (readonly [string, string])[];
  incoming: IncomingMessage;
  response: ServerResponse;
  authentication?: Authentication;
  /** Sends 100 Continue when the client waits for it; to be called before the body is read. */
  continueBody: () => void;
}

function decode(text: string, plusIsSpace: boolean): string {
  try {
    return decodeURIComponent(plusIsSpace ? text.replaceAll('+', ' ') : text);
  } catch {
    throw new S3Error('InvalidURI');
  }
}

/** Parses the request target (path-style addressing). @throws S3Error InvalidURI, KeyTooLongError */
export function parseTarget(url: string): Pick<S3Request, 'path' | 'bucket' | 'key' | 'query'> {
  if (!url.startsWith('/')) throw new S3Error('InvalidURI');
  const mark = url.indexOf('?');
  const path = decode(mark < 0 ? url : url.slice(0, mark), false);
  const query = (mark < 0 ? '' : url.slice(mark + 1))
    .split('&')
    .filter((part) => part !== '')
    .map((part): [string, string] => {
      const equals = part.indexOf('=');
      return equals < 0
        ? [decode(part, true), '']
        : [decode(part.slice(0, equals), true), decode(part.slice(equals + 1), true)];
    });
  const slash = path.indexOf('/', 1);
  const bucket = (slash < 0 ? path.slice(1) : path.slice(1, slash)) || undefined;
  const key = (slash < 0 ? '' : path.slice(slash + 1)) || undefined;
  if (key !== undefined) checkKey(key);
  if (bucket === undefined && key !== undefined) throw new S3Error('InvalidURI');
  return { path, bucket, key, query };
}

/** @throws S3Error KeyTooLongError above 1,024 bytes of UTF-8 */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError');
}

/** All values of a header as sent, [] when absent. Name in lower case. */
export function headerValues(request: S3Request, name: string): readonly string[] {
  return request.incoming.headersDistinct[name] ?? [];
}

/** A header's value; repeated ones are joined by a comma. */
export function header(request: S3Request, name: string): string | undefined {
  const values = headerValues(request, name);
  return values.length === 0 ? undefined : values.join(',');
}

/** First value of a query parameter; '' for a bare name. */
export function queryValue(request: S3Request, name: string): string | undefined {
  return request.query.find(([given]) => given === name)?.[1];
}

export function hasQuery(request: S3Request, name: string): boolean {
  return queryValue(request, name) !== undefined;
}

/**
 * An `x-amz-*` setting: the header or, in a presigned URL, the query parameter of that name, into which signers hoist
 * such headers (both are covered by the signature; differing values are refused).
 */
export function setting(request: S3Request, name: string): string | undefined {
  const sent = header(request, name);
  if (!request.authentication?.presigned) return sent;
  const hoisted = request.query.find(([given]) => given.toLowerCase() === name)?.[1];
  if (sent !== undefined && hoisted !== undefined && sent !== hoisted) {
    throw new S3Error('InvalidRequest', `${name} was given twice with different values.`);
  }
  return sent ?? hoisted;
}

/** All settings whose names start with a prefix, by lower case name. */
export function settingsWithPrefix(request: S3Request, prefix: string): Map<string, string> {
  const names = new Set(Object.keys(request.incoming.headersDistinct));
  if (request.authentication?.presigned) for (const [name] of request.query) names.add(name.toLowerCase());
  const found = new Map<string, string>();
  for (const name of names) if (name.startsWith(prefix)) found.set(name, setting(request, name) ?? '');
  return found;
}

/** A whole number from a query parameter within bounds. @throws S3Error InvalidArgument */
export function queryInteger(
  request: S3Request,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = queryValue(request, name);
  if (text === undefined || text === '') return fallback;
  const value = /^-?\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw new S3Error('InvalidArgument', `${name} is out of range.`);
  return value;
}
