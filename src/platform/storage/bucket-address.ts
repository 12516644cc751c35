import type { ConfigValues } from '../config/config.schema.js';

/** Where a bucket's objects are, in the parts a signer wants. */
export interface BucketAddress {
  protocol: string;
  hostname: string;
  /** Absent when it is the scheme's own. */
  port?: number;
  /** What stands before `/<key>`. */
  path: string;
}

export function bucketAddress(endpoint: string, config: ConfigValues): BucketAddress {
  const { protocol, hostname, port, pathname } = new URL(endpoint);
  const path = pathname.replace(/\/$/, '');
  const { S3_BUCKET: bucket } = config;
  return {
    protocol,
    ...(port && { port: Number(port) }),
    ...(config.S3_FORCE_PATH_STYLE
      ? { hostname, path: `${path}/${bucket}` }
      : { hostname: `${bucket}.${hostname}`, path }),
  };
}
