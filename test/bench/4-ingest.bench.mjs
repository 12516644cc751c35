import { put, putAlone } from './bucket.mjs';
import { rate, startProduct, timed } from './stack.mjs';
import { ctStudy } from './study.mjs';

const INSTANCES = 500;

/** PUT -> verified -> registered, beside the same bytes merely PUT into the same bucket. */
export default async function (row) {
  const product = await startProduct();
  await product.startWorker();
  for (const kilobytes of [64, 512])
    for (const parallel of [8, 1]) {
      const { files } = ctStudy(INSTANCES, kilobytes);
      const baseline = INSTANCES / (await putAlone(product, files, parallel));
      const ours = INSTANCES / (await ingest(product, files, parallel));
      row({
        what: `an exam of ${INSTANCES} x ${kilobytes} KB, ${parallel} in parallel, first PUT to registered`,
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
