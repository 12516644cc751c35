import { randomBytes, randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { elementsFrom, writeDicom } from '../../dist/formats/dicom/write.js';
import { rate, startProduct, timed } from './stack.mjs';

const INSTANCES = 500;

/** PUT -> verified -> registered, beside the same bytes merely PUT into the same bucket. */
export default async function (row) {
  const product = await startProduct();
  await product.startWorker();
  for (const kilobytes of [64, 512])
    for (const parallel of [8, 1]) {
      const files = study(kilobytes);
      const baseline = INSTANCES / (await putAlone(product, files, parallel));
      const ours = INSTANCES / (await ingest(product, files, parallel));
      row({
        what: `ingest ${INSTANCES} x ${kilobytes} KB, ${parallel} in parallel, first PUT to registered`,
        figure: rate(ours),
        baseline: `the PUTs alone ${rate(baseline)}`,
        ratio: `${((100 * ours) / baseline).toFixed(0)} %`,
      });
    }
  await product.close();
}

async function ingest(product, files, parallel) {
  const headers = { authorization: `Bearer ${product.apiKey}`, 'content-type': 'application/json' };
  const declared = files.map((bytes, index) => ({ name: `ct_${index}.dcm`, size: bytes.length }));
  const body = JSON.stringify({ name: 'Bench', patient_name: 'Bench', files: declared });
  const created = await (
    await fetch(`${product.baseUrl}/api/v1/exams`, { method: 'POST', headers, body })
  ).json();
  const begun = performance.now();
  await timed(
    files.map((bytes, index) => () => put(created.upload_urls[index].url, bytes)),
    parallel,
  );
  const exam = `${product.baseUrl}/api/v1/exams/${created.exam_id}`;
  const confirmed = await fetch(`${exam}/confirm`, {
    method: 'POST',
    headers: { authorization: headers.authorization },
  });
  if (!confirmed.ok) throw new Error(await confirmed.text());
  for (;;) {
    const { ingestion_status } = await (await fetch(exam, { headers })).json();
    if (ingestion_status === 'registered') return (performance.now() - begun) / 1000;
    if (ingestion_status !== 'processing' && ingestion_status !== 'pending')
      throw new Error(ingestion_status);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function putAlone({ environment }, files, parallel) {
  const credentials = {
    accessKeyId: environment.S3_ACCESS_KEY_ID,
    secretAccessKey: environment.S3_SECRET_ACCESS_KEY,
  };
  const client = new S3Client({
    endpoint: environment.S3_ENDPOINT,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
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

async function put(url, bytes) {
  const response = await fetch(url, { method: 'PUT', body: bytes });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`PUT ${response.status}`);
}

function study(kilobytes) {
  const uid = () => `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
  const [StudyInstanceUID, SeriesInstanceUID] = [uid(), uid()];
  return Array.from({ length: INSTANCES }, (_, index) =>
    writeDicom({
      elements: elementsFrom({
        SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
        SOPInstanceUID: uid(),
        StudyInstanceUID,
        SeriesInstanceUID,
        Modality: 'CT',
        PatientID: 'BENCH',
        PatientName: 'Bench',
        InstanceNumber: index + 1,
        Rows: 256,
        Columns: kilobytes * 2,
        BitsAllocated: 16,
        SamplesPerPixel: 1,
        PhotometricInterpretation: 'MONOCHROME2',
        PixelData: randomBytes(kilobytes * 1024),
      }),
    }),
  );
}
