import { S3Error } from './s3-error.js';
import { type Authentication, type S3Request, header, headerValues } from './s3-request.js';
import {
  ALGORITHM,
  type SigningKeys,
  canonicalRequest,
  hmac,
  parseAmzDate,
  sameSignature,
  scopeOf,
  stringToSign,
} from './sigv4.js';

const SERVICE = 's3';
/** AWS allows the clocks of client and server to differ by 15 minutes. */
const MAX_SKEW_MS = 15 * 60 * 1000;
/** Seven days, in seconds: the longest life of a presigned URL. */
const MAX_EXPIRES_S = 604_800;
const AUTH_PARAMETERS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
];

export interface SignatureOptions {
  secrets: ReadonlyMap<string, string>;
  region: string;
  keys: SigningKeys;
  now: () => number;
}

interface Claim {
  presigned: boolean;
  credential: string;
  signedHeaders: string[];
  signature: string;
  date: string;
  payload: string;
}

/**
 * Checks the signature of a request before anything of its body is read (AWS "Signature Version 4", header and query
 * variants). On success the returned value says how the body itself has to be verified.
 * @throws S3Error AccessDenied for anonymous, expired or partly unsigned requests, SignatureDoesNotMatch and the like
 */
export function authenticate(request: S3Request, options: SignatureOptions): Authentication {
  const inQuery = request.query.some(([name]) => name.toLowerCase() === 'x-amz-signature');
  const authorization = authorizationOf(request, inQuery);
  if (authorization !== undefined && inQuery) {
    throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed.');
  }
  if (authorization === undefined && !inQuery) throw new S3Error('AccessDenied');
  const claim = inQuery ? claimOfQuery(request) : claimOfHeader(request, authorization ?? '');
  if (
    request.query.some(([name]) => name.toLowerCase() === 'x-amz-security-token') ||
    header(request, 'x-amz-security-token') !== undefined
  ) {
    throw new S3Error('InvalidToken'); // there are no temporary credentials here
  }
  const { accessKeyId, secret } = checkCredential(claim, options);
  checkTime(claim, request, options.now());
  checkCoverage(claim, request);

  const canonical = canonicalRequest({
    method: request.method,
    path: request.path,
    query: claim.presigned ? request.query.filter(([name]) => name !== 'X-Amz-Signature') : request.query,
    signedHeaders: claim.signedHeaders,
    header: (name) => headerValues(request, name),
    payloadHash: claim.payload,
  });
  const scope = scopeOf(claim.date, options.region, SERVICE);
  const key = options.keys.get(accessKeyId, secret, claim.date.slice(0, 8), options.region, SERVICE);
  const expected = hmac(key, stringToSign(claim.date, scope, canonical)).toString('hex');
  if (!sameSignature(expected, claim.signature)) throw new S3Error('SignatureDoesNotMatch');
  return {
    accessKeyId,
    presigned: claim.presigned,
    payload: claim.payload,
    chain: { signature: claim.signature, date: claim.date, scope, key },
  };
}

/**
 * HTTP Basic beside a presigned query is left out of account, where AWS refuses two mechanisms. This server shares its
 * host name with the API, and a client that takes its credential from a `.netrc` sends it to every port of a host (Python's
 * requests does). It is no mechanism of S3, proves nothing here, and the query alone decides.
 */
function authorizationOf(request: S3Request, presigned: boolean): string | undefined {
  const authorization = header(request, 'authorization');
  return presigned && authorization && /^basic /i.test(authorization) ? undefined : authorization;
}

function claimOfHeader(request: S3Request, authorization: string): Claim {
  const malformed = (): S3Error => new S3Error('AuthorizationHeaderMalformed');
  // Signature Version 2 and anything else is as good as anonymous.
  if (!authorization.startsWith(`${ALGORITHM} `)) throw new S3Error('AccessDenied');
  const fields = new Map<string, string>();
  for (const part of authorization.slice(ALGORITHM.length + 1).split(',')) {
    const m = /^\s*(Credential|SignedHeaders|Signature)=(\S+)\s*$/.exec(part);
    if (!m || fields.has(m[1]!)) throw malformed();
    fields.set(m[1]!, m[2]!);
  }
  const credential = fields.get('Credential');
  const signedHeaders = fields.get('SignedHeaders');
  const signature = fields.get('Signature');
  if (!credential || !signedHeaders || !signature) throw malformed();
  const date = header(request, 'x-amz-date');
  if (date === undefined)
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid x-amz-date header.');
  const payload = header(request, 'x-amz-content-sha256');
  if (payload === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return { presigned: false, credential, signedHeaders: signedHeaders.split(';'), signature, date, payload };
}

function claimOfQuery(request: S3Request): Claim {
  const malformed = (message?: string): S3Error => new S3Error('AuthorizationQueryParametersError', message);
  const value = (name: string): string => {
    // Exactly one parameter in exactly this spelling: a second one might be what another reader sees.
    const found = request.query.filter(([given]) => given.toLowerCase() === name.toLowerCase());
    if (found.length !== 1 || found[0]![0] !== name) throw malformed();
    return found[0]![1];
  };
  const [algorithm, credential, date, expires, signedHeaders, signature] = AUTH_PARAMETERS.map(value) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (algorithm !== ALGORITHM) throw malformed('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  if (!/^\d{1,7}$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_S) {
    throw malformed(`X-Amz-Expires must be between 1 and ${MAX_EXPIRES_S} seconds`);
  }
  const inQuery = request.query.filter(([name]) => name.toLowerCase() === 'x-amz-content-sha256');
  const inHeader = header(request, 'x-amz-content-sha256');
  if (inQuery.length > 1 || (inQuery[0] && inHeader !== undefined && inQuery[0][1] !== inHeader))
    throw malformed();
  const payload = inQuery[0]?.[1] ?? inHeader ?? 'UNSIGNED-PAYLOAD';
  return { presigned: true, credential, signedHeaders: signedHeaders.split(';'), signature, date, payload };
}

function checkCredential(claim: Claim, options: SignatureOptions): { accessKeyId: string; secret: string } {
  const malformed = claim.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
  const parts = claim.credential.split('/');
  const [day, region, service, end] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (parts.length < 5 || service !== SERVICE || end !== 'aws4_request') throw new S3Error(malformed);
  const secret = options.secrets.get(accessKeyId);
  if (secret === undefined) throw new S3Error('InvalidAccessKeyId');
  if (region !== options.region) {
    throw new S3Error(malformed, `The region '${region}' is wrong; expecting '${options.region}'`, {
      elements: { Region: options.region },
    });
  }
  if (day !== claim.date.slice(0, 8))
    throw new S3Error(malformed, 'The credential date differs from the request date.');
  return { accessKeyId, secret };
}

function checkTime(claim: Claim, request: S3Request, now: number): void {
  const signed = parseAmzDate(claim.date);
  if (signed === undefined) {
    throw new S3Error(
      claim.presigned ? 'AuthorizationQueryParametersError' : 'AccessDenied',
      'The date is malformed.',
    );
  }
  if (signed - now > MAX_SKEW_MS) throw new S3Error('RequestTimeTooSkewed');
  if (!claim.presigned) {
    if (now - signed > MAX_SKEW_MS) throw new S3Error('RequestTimeTooSkewed');
    return;
  }
  const expires = Number(request.query.find(([name]) => name === 'X-Amz-Expires')?.[1]);
  if (now >= signed + expires * 1000) throw new S3Error('AccessDenied', 'Request has expired');
}

/**
 * Every header that can change what a request does must be signed; otherwise whoever holds a presigned PUT could turn
 * it into a copy of another object, or give it an ACL, tags or metadata.
 */
function checkCoverage(claim: Claim, request: S3Request): void {
  const signed = new Set(claim.signedHeaders);
  const sorted = [...signed].sort();
  if (
    signed.size !== claim.signedHeaders.length ||
    sorted.some((name, i) => name !== claim.signedHeaders[i])
  ) {
    throw new S3Error(
      claim.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed',
      'SignedHeaders must be unique, lower case and sorted.',
    );
  }
  if (!signed.has('host')) throw new S3Error('AccessDenied', 'The host header must be signed.');
  for (const name of Object.keys(request.incoming.headersDistinct)) {
    if (name.startsWith('x-amz-') && !signed.has(name)) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        elements: { HeadersNotSigned: name },
      });
    }
  }
  if (
    signed.has('content-length') &&
    header(request, 'content-length') === undefined &&
    carriesBody(request)
  ) {
    throw new S3Error('MissingContentLength');
  }
}

function carriesBody(request: S3Request): boolean {
  return request.method === 'PUT' || request.method === 'POST';
}
