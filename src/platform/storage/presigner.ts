import { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import type { ConfigValues } from '../config/config.schema.js';
import { AbsentHeadersSigner } from './absent-headers-signer.js';
import { type BucketAddress, bucketAddress } from './bucket-address.js';
import { NodeSha256 } from './node-sha256.js';

export interface SignedRequest {
  url: string;
  method: 'PUT' | 'GET';
  /** Headers that are signed: the caller must send exactly these values. */
  headers: Record<string, string>;
  expiresAt: Date;
}

/** Lifetime of every presigned URL, in seconds. */
export const URL_LIFETIME_SECONDS = 900;

const SIGNED_HEADERS = new Set(['host', 'content-length', 'content-type']);

/**
 * Presigns by signing a prepared request with the official package. `getSignedUrl` would build a command and walk the
 * client's middleware for each URL, which is ten times slower; one exam may need 5,000 of them.
 */
export class Presigner {
  private readonly signers: Record<SignedRequest['method'], Pick<S3RequestPresigner, 'presign'>>;
  private readonly address: BucketAddress;

  constructor(config: ConfigValues) {
    this.address = bucketAddress(config.S3_PUBLIC_ENDPOINT ?? config.S3_ENDPOINT, config);
    const options = {
      service: 's3',
      region: config.S3_REGION,
      credentials: {
        accessKeyId: config.S3_SIGNER_ACCESS_KEY_ID ?? config.S3_ACCESS_KEY_ID,
        secretAccessKey: config.S3_SIGNER_SECRET_ACCESS_KEY ?? config.S3_SECRET_ACCESS_KEY,
      },
      sha256: NodeSha256,
      uriEscapePath: false,
      applyChecksum: false,
    };
    const signer = new S3RequestPresigner(options);
    this.signers = {
      GET: signer,
      PUT: config.S3_SIGN_ABSENT_HEADERS ? new AbsentHeadersSigner(options) : signer,
    };
  }

  /** One PUT on one key, of `size` bytes and that type exactly, both signed; of any where they are not known. */
  async put(key: string, size: number | undefined, now: Date, contentType?: string): Promise<SignedRequest> {
    const headers = {
      ...(size !== undefined && { 'content-length': String(size) }),
      ...(contentType !== undefined && { 'content-type': contentType }),
    };
    return this.sign('PUT', key, headers, {}, now);
  }

  /** One GET on one key, always as a download of a harmless type: the bytes are the uploader's. */
  async get(key: string, fileName: string, now: Date): Promise<SignedRequest> {
    const query = {
      'response-content-disposition': `attachment; filename="${fileName}"`,
      'response-content-type': 'application/octet-stream',
    };
    return this.sign('GET', key, {}, query, now);
  }

  private async sign(
    method: SignedRequest['method'],
    key: string,
    headers: Record<string, string>,
    query: Record<string, string>,
    now: Date,
  ): Promise<SignedRequest> {
    const path = `${this.address.path}/${key}`; // keys are ids and slashes only: nothing to escape
    const signed = await this.signers[method].presign(
      { ...this.address, method, path, query, headers: { ...headers } },
      { expiresIn: URL_LIFETIME_SECONDS, signingDate: now, signableHeaders: SIGNED_HEADERS },
    );
    const { protocol, hostname, port } = this.address;
    const search = Object.entries(signed.query ?? {})
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
      .join('&');
    return {
      url: `${protocol}//${hostname}${port ? `:${port}` : ''}${path}?${search}`,
      method,
      headers,
      expiresAt: new Date(now.getTime() + URL_LIFETIME_SECONDS * 1000),
    };
  }
}
