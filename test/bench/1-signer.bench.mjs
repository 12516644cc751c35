import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Presigner } from '../../dist/platform/storage/presigner.js';
import { perSecond, rate, times } from './stack.mjs';

export default async function (row) {
  const credentials = { accessKeyId: 'BENCH', secretAccessKey: 'bench' };
  const endpoint = 'http://127.0.0.1:9000';
  const presigner = new Presigner({
    S3_ENDPOINT: endpoint,
    S3_REGION: 'us-east-1',
    S3_BUCKET: 'scandock',
    S3_FORCE_PATH_STYLE: true,
    S3_ACCESS_KEY_ID: credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  const Key = 'staging/01a1fc94-4a0c-734a-93bd-20399596e301/01a1fc94-4b49-7066-99b2-9144fcf25133';
  const now = new Date();
  const ours = await perSecond(() => presigner.put(Key, 524288, now));
  const baseline = await perSecond(() =>
    getSignedUrl(client, new PutObjectCommand({ Bucket: 'scandock', Key, ContentLength: 524288 }), {
      expiresIn: 900,
      signableHeaders: new Set(['content-length']),
    }),
  );
  row({
    what: 'presign a PUT, one core',
    figure: rate(ours),
    baseline: `getSignedUrl ${rate(baseline)}`,
    ratio: times(ours / baseline),
  });
}
