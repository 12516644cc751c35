import pg from 'pg';
import { randomUUID } from 'node:crypto';
import { startProduct } from './stack.mjs';

const FILES = 5000;
const RUNS = 5;

export default async function (row) {
  const product = await startProduct();
  const body = JSON.stringify({
    name: 'Bench',
    patient_name: 'Bench',
    files: Array.from({ length: FILES }, (_, index) => ({ name: `ct_${index}.dcm`, size: 524288 })),
  });
  const create = async () => {
    const begun = performance.now();
    const response = await fetch(`${product.baseUrl}/api/v1/exams`, {
      method: 'POST',
      headers: { authorization: `Bearer ${product.apiKey}`, 'content-type': 'application/json' },
      body,
    });
    const { upload_urls } = await response.json();
    if (upload_urls.length !== FILES) throw new Error('not every file got its URL');
    return performance.now() - begun;
  };
  const ours = await median(create);
  const client = new pg.Client({ connectionString: product.adminUrl });
  await client.connect();
  await client.query('CREATE TEMP TABLE plain (id uuid PRIMARY KEY, name text, size bigint)');
  const insert = async () => {
    const begun = performance.now();
    const ids = Array.from({ length: 2 * FILES }, () => randomUUID());
    await client.query('INSERT INTO plain SELECT u, $2, 524288 FROM unnest($1::uuid[]) AS u', [
      ids,
      'ct.dcm',
    ]);
    return performance.now() - begun;
  };
  const baseline = await median(insert);
  await client.end();
  row({
    what: `POST /exams with ${FILES.toLocaleString('en')} files, to the last URL`,
    figure: `${ours.toFixed(0)} ms`,
    baseline: `plain INSERT of ${(2 * FILES).toLocaleString('en')} rows ${baseline.toFixed(0)} ms`,
    ratio: `${(ours / baseline).toFixed(1)} x the time`,
  });
  await product.close();
}

async function median(run) {
  await run();
  const samples = [];
  for (let index = 0; index < RUNS; index++) samples.push(await run());
  return samples.sort((a, b) => a - b)[Math.floor(RUNS / 2)];
}
