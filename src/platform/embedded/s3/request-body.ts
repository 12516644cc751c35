import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { decodeAwsChunked } from './aws-chunked.js';
import { Checksum, type ChecksumAlgorithm, isChecksumAlgorithm, isChecksumValue } from './checksums.js';
import { S3Error } from './s3-error.js';
import { type S3Request, header, setting, settingsWithPrefix } from './s3-request.js';

/** Largest body of one PUT or one part (S3: 5 GiB). */
const MAX_BODY_BYTES = 5 * 1024 ** 3;
/** Largest XML request body that is read (a DeleteObjects of 1,000 keys of 1,024 bytes fits). */
const MAX_XML_BYTES = 4 * 1024 * 1024;
const CHECKSUM_PREFIX = 'x-amz-checksum-';
const NOT_CHECKSUMS = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);

/** What the headers promise about a body. */
export interface BodyPlan {
  request: S3Request;
  /** Bytes after decoding. */
  size: number;
  md5: string | undefined;
  /** Hexadecimal SHA-256 that was signed; undefined when the payload is not signed as a whole. */
  sha256: string | undefined;
  /** A checksum to compute; its value may come in the trailer only. */
  checksum: { algorithm: ChecksumAlgorithm; value: string | undefined } | undefined;
  chunked: { signed: boolean; trailerNames: string[] } | undefined;
}

export interface BodyDigests {
  /** Hexadecimal; undefined when it was not to be computed. */
  md5: string | undefined;
  /** Hexadecimal; undefined when none was signed. */
  sha256: string | undefined;
  checksum: { algorithm: ChecksumAlgorithm; value: string } | undefined;
}

/** Reads the headers that describe the body; nothing of the body itself. @throws S3Error */
export function planBody(request: S3Request): BodyPlan {
  const payload = request.authentication!.payload;
  const chunked = planChunks(request, payload);
  const sha256 = /^[0-9a-f]{64}$/.test(payload) ? payload : undefined;
  if (!chunked && !sha256 && payload !== 'UNSIGNED-PAYLOAD') {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-* or a SHA-256.',
    );
  }
  const md5 = header(request, 'content-md5');
  if (md5 !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(md5)) throw new S3Error('InvalidDigest');
  return {
    request,
    size: planSize(request, chunked !== undefined),
    md5: md5 === undefined ? undefined : Buffer.from(md5, 'base64').toString('hex'),
    sha256,
    checksum: planChecksum(request, chunked?.trailerNames ?? []),
    chunked,
  };
}

function planSize(request: S3Request, chunked: boolean): number {
  const text = chunked ? header(request, 'x-amz-decoded-content-length') : header(request, 'content-length');
  if (text === undefined) throw new S3Error('MissingContentLength');
  if (!/^\d{1,16}$/.test(text)) throw new S3Error('InvalidArgument', 'The content length is malformed.');
  if (Number(text) > MAX_BODY_BYTES) throw new S3Error('EntityTooLarge');
  return Number(text);
}

function planChunks(request: S3Request, payload: string): BodyPlan['chunked'] {
  const m = /^STREAMING-(AWS4-HMAC-SHA256-PAYLOAD|UNSIGNED-PAYLOAD)(-TRAILER)?$/.exec(payload);
  if (!m) return undefined;
  const signed = m[1] !== 'UNSIGNED-PAYLOAD';
  if (!signed && !m[2]) return undefined; // there is no unsigned stream without a trailer
  const names = (header(request, 'x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (!m[2] && names.length > 0)
    throw new S3Error('InvalidRequest', 'x-amz-trailer needs a stream with a trailer.');
  if (m[2] && (names.length !== 1 || !names[0]!.startsWith(CHECKSUM_PREFIX))) {
    throw new S3Error('InvalidRequest', 'x-amz-trailer must name one checksum.');
  }
  return { signed, trailerNames: names };
}

function planChecksum(request: S3Request, trailerNames: readonly string[]): BodyPlan['checksum'] {
  const given = [...settingsWithPrefix(request, CHECKSUM_PREFIX)].filter(
    ([name]) => !NOT_CHECKSUMS.has(name),
  );
  const names = [...given.map(([name]) => name), ...trailerNames];
  if (names.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.');
  const announced = setting(request, 'x-amz-sdk-checksum-algorithm');
  if (names.length === 0) {
    if (announced === undefined) return undefined;
    throw new S3Error('InvalidRequest', 'x-amz-sdk-checksum-algorithm specified, but no checksum was found.');
  }
  const algorithm = names[0]!.slice(CHECKSUM_PREFIX.length);
  if (!isChecksumAlgorithm(algorithm))
    throw new S3Error('NotImplemented', `The checksum ${algorithm} is not implemented.`);
  if (announced !== undefined && announced.toLowerCase() !== algorithm) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
  const value = given[0]?.[1];
  if (value !== undefined && !isChecksumValue(algorithm, value)) throw new S3Error('InvalidDigest');
  return { algorithm, value };
}

/**
 * Reads the body into `sink`, chunk by chunk, and verifies everything that was promised at its end: whatever the sink
 * kept must be thrown away when this rejects.
 * @param needsMd5 whether the caller takes the MD5, which costs more than all the rest
 * @throws S3Error BadDigest, XAmzContentSHA256Mismatch, IncompleteBody, SignatureDoesNotMatch; a cut connection's error
 */
export async function receiveBody(
  plan: BodyPlan,
  sink: (chunk: Buffer) => Promise<void> | void | undefined,
  needsMd5 = true,
): Promise<BodyDigests> {
  const { request, chunked } = plan;
  request.continueBody();
  let trailer: ReadonlyMap<string, string> = new Map();
  const md5 = needsMd5 || plan.md5 !== undefined ? createHash('md5') : undefined;
  const sha256 = plan.sha256 === undefined ? undefined : createHash('sha256');
  // A signed SHA-256 that is given as the checksum, too, is computed once.
  const reuse = sha256 !== undefined && plan.checksum?.algorithm === 'sha256';
  const checksum = plan.checksum && !reuse ? new Checksum(plan.checksum.algorithm) : undefined;
  let size = 0;
  const take = (chunk: Buffer): Promise<void> | void | undefined => {
    size += chunk.length;
    if (size > plan.size) throw new S3Error('IncompleteBody');
    md5?.update(chunk);
    sha256?.update(chunk);
    checksum?.update(chunk);
    return sink(chunk);
  };
  if (chunked) {
    for await (const chunk of decodeBody(plan, (fields) => (trailer = fields))) await take(chunk);
  } else await consume(request.incoming, take);
  if (size !== plan.size) throw new S3Error('IncompleteBody');
  const digests = { md5: md5?.digest('hex'), sha256: sha256?.digest('hex') };
  if (plan.sha256 !== undefined && digests.sha256 !== plan.sha256)
    throw new S3Error('XAmzContentSHA256Mismatch');
  if (plan.md5 !== undefined && digests.md5 !== plan.md5) throw new S3Error('BadDigest');
  if (!plan.checksum) return { ...digests, checksum: undefined };
  const { algorithm } = plan.checksum;
  const value = checksum?.value() ?? Buffer.from(digests.sha256!, 'hex').toString('base64');
  const promised = plan.checksum.value ?? trailer.get(CHECKSUM_PREFIX + algorithm);
  if (value !== promised) {
    throw new S3Error(
      'BadDigest',
      `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
  return { ...digests, checksum: { algorithm, value } };
}

function decodeBody(
  { request, chunked }: BodyPlan,
  onTrailer: (fields: ReadonlyMap<string, string>) => void,
): AsyncGenerator<Buffer> {
  // Leaving the loop early must not destroy the connection: an answer is still to be sent on it.
  const raw = request.incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  return decodeAwsChunked(raw, {
    ...(chunked!.signed && { chain: { ...request.authentication!.chain } }),
    trailerNames: chunked!.trailerNames,
    onTrailer,
  });
}

/** Reads a plain body by events. A failure leaves the connection open, so that it can be answered. */
function consume(
  incoming: IncomingMessage,
  take: (chunk: Buffer) => Promise<void> | void | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let busy: Promise<void> | undefined;
    const settle = (error?: unknown): void => {
      incoming.off('data', onData).off('end', onEnd).off('error', settle).off('close', onClose);
      incoming.pause();
      if (error === undefined) resolve();
      else reject(error as Error);
    };
    const onData = (chunk: Buffer): void => {
      try {
        const written = take(chunk);
        if (!written) return;
        incoming.pause();
        busy = written.then(() => void incoming.resume(), settle);
      } catch (error) {
        settle(error);
      }
    };
    const onEnd = (): void => {
      incoming.off('close', onClose); // a whole body: its stream may close before the last write is done
      void (busy ?? Promise.resolve()).then(() => settle());
    };
    const onClose = (): void => settle(new Error('the connection was closed in the middle of the body'));
    incoming.on('data', onData).on('end', onEnd).on('error', settle).on('close', onClose);
  });
}

/** Receives a small (XML) body completely and verified. */
export async function receiveText(request: S3Request): Promise<{ text: string; plan: BodyPlan }> {
  const plan = planBody(request);
  if (plan.size > MAX_XML_BYTES) throw new S3Error('MaxMessageLengthExceeded');
  const chunks: Buffer[] = [];
  await receiveBody(plan, (chunk) => void chunks.push(chunk));
  return { text: Buffer.concat(chunks).toString('utf8'), plan };
}
