import { randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { timed } from './stack.mjs';

export async function put(url, bytes) {
  const response = await fetch(url, { method: 'PUT', body: bytes });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`PUT ${response.status}`);
}

/** What the bucket can do by itself: the files merely PUT, to keys nobody looks at. Returns the seconds it took. */
export async function putAlone({ environment }, files, parallel) {
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
  const urls = await Promise.all(
    files.map(() =>
      getSignedUrl(client, new PutObjectCommand({ Bucket: 'scandock', Key: `baseline/${randomUUID()}` })),
    ),
  );
  return timed(
    files.map((bytes, index) => () => put(urls[index], bytes)),
    parallel,
  );
}
