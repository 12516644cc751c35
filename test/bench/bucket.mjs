import { randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { timed } from './stack.mjs';

export async function put(url, bytes) {
  const response = await fetch(url, { method: 'PUT', body: bytes });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`PUT ${response.status}`);
}

/** A presigned PUT to a key nobody looks at. */
export function putUrl(environment) {
  const client = new S3Client({
    endpoint: environment.S3_ENDPOINT,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: environment.S3_ACCESS_KEY_ID,
      secretAccessKey: environment.S3_SECRET_ACCESS_KEY,
    },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  return getSignedUrl(client, new PutObjectCommand({ Bucket: 'scandock', Key: `baseline/${randomUUID()}` }));
}

/** What the bucket can do by itself: the files merely PUT. Returns the seconds it took. */
export async function putAlone({ environment }, files, parallel) {
  const urls = await Promise.all(files.map(() => putUrl(environment)));
  return timed(
    files.map((bytes, index) => () => put(urls[index], bytes)),
    parallel,
  );
}
