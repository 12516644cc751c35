import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { register } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { putUrl } from './bucket.mjs';
import { startOrthanc } from './orthanc.mjs';
import { startProduct } from './stack.mjs';
import { ctInstance, newUid } from './study.mjs';

register('../fuzz/typescript-hooks.mjs', import.meta.url);
const { putFile, writeLargeZip } = await import('../support/large-zip.ts');

const INSTANCES = Number(process.env.BENCH_ENTRIES ?? 5000);
const KILOBYTES = 200;
const POLL_MS = 200;
const SAMPLE_MS = 50;

/** A ZIP of 1 GB, PUT to registered, and what the worker's resident memory grows by; Orthanc takes it as one POST. */
export default async function (row) {
  if (process.platform !== 'linux') return console.log('(resident memory is read from /proc: skipped)');
  const folder = mkdtempSync(path.join(tmpdir(), 'scandock-bench-zip-'));
  const file = path.join(folder, 'study.zip');
  const size = await writeLargeZip(file, slices());
  const product = await startProduct();
  const worker = await product.startWorker();
  const orthanc = await startOrthanc();

  const begun = performance.now();
  await putFile(await putUrl(product.environment), file);
  const alone = (performance.now() - begun) / 1000;
  const ours = await measured(worker.pid, () => ingest(product, file));
  const theirs = orthanc && (await measured(orthanc.pid, () => orthanc.upload(file)));
  row({
    what: `a ZIP of ${(size / 1e9).toFixed(2)} GB, ${INSTANCES.toLocaleString('en')} instances, PUT to registered`,
    figure: memory(ours),
    baseline: `Orthanc ${theirs ? memory(theirs) : 'skipped'}; the PUT alone ${alone.toFixed(1)} s`,
    ratio: theirs ? `${(ours.seconds / theirs.seconds).toFixed(2)} x the time` : 'skipped',
  });
  await orthanc?.stop();
  await product.close();
  rmSync(folder, { recursive: true, force: true });
}

const memory = ({ growth, seconds }) => `+${Math.round(growth / 1e6)} MB, ${seconds.toFixed(1)} s`;

function* slices() {
  const uids = { StudyInstanceUID: newUid(), SeriesInstanceUID: newUid() };
  for (let index = 0; index < INSTANCES; index++)
    yield { name: `CT/IM${index}.dcm`, data: ctInstance({ ...uids, index }, KILOBYTES) };
}

async function ingest({ baseUrl, apiKey }, file) {
  const headers = { authorization: `Bearer ${apiKey}` };
  const issued = await fetch(`${baseUrl}/upload`, { headers });
  const upload = `${baseUrl}/uploads/${issued.headers.get('x-upload-id')}`;
  const status = await putFile((await issued.json()).url, file);
  if (status !== 200) throw new Error(`PUT ${status}`);
  await fetch(`${upload}/complete`, { method: 'POST', headers });
  for (;;) {
    const { state, rejection } = await (await fetch(upload, { headers })).json();
    if (state === 'registered') return;
    if (rejection) throw new Error(rejection.rule);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Seconds it took, and bytes the process grew by at most meanwhile (VmRSS, proc(5)). */
async function measured(pid, work) {
  const resident = () =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  const idle = resident();
  let peak = idle;
  const sampler = setInterval(() => (peak = Math.max(peak, resident())), SAMPLE_MS);
  const begun = performance.now();
  await work();
  clearInterval(sampler);
  return { seconds: (performance.now() - begun) / 1000, growth: peak - idle };
}
