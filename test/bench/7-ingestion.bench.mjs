import { put, putAlone } from './bucket.mjs';
import { startOrthanc } from './orthanc.mjs';
import { rate, startProduct, timed, times } from './stack.mjs';
import { ctStudy } from './study.mjs';

const INSTANCES = Number(process.env.BENCH_INSTANCES ?? 500);
const POLL_MS = 50;
const LIMIT_MS = 120_000;

/**
 * The ingestion surface, PUT to searchable: the same bytes PUT into the same bucket, and sent to Orthanc by STOW-RS, in
 * the same run. `notified`: URLs asked for before, the bucket tells of each object. `unaided`: the URL is asked for with
 * each file, and nobody tells: the reconciler looks every 2 s.
 */
export default async function (row) {
  const product = await startProduct();
  await product.startWorker();
  const orthanc = await startOrthanc();
  if (!orthanc) console.log('(Orthanc is not installed: its figures are skipped)');
  for (const kilobytes of [64, 512])
    for (const parallel of [8, 1]) {
      const study = ctStudy(INSTANCES, kilobytes);
      const alone = INSTANCES / (await putAlone(product, study.files, parallel));
      const theirs = orthanc && INSTANCES / (await orthanc.ingest(study.files, parallel));
      for (const [way, ingest] of Object.entries({ notified, unaided })) {
        const tenant = { ...product, apiKey: await product.newTenant() };
        const ours = INSTANCES / (await ingest(tenant, study, parallel));
        row({
          what: `ingest ${INSTANCES} x ${kilobytes} KB, ${parallel} in parallel, ${way}`,
          figure: rate(ours),
          baseline: `Orthanc ${theirs ? rate(theirs) : 'skipped'}; the PUTs alone ${rate(alone)}`,
          ratio: `${theirs ? times(ours / theirs) : 'skipped'}; ${((100 * ours) / alone).toFixed(0)} %`,
        });
      }
    }
  await orthanc?.stop();
  await product.close();
}

/** Seconds from the first PUT until the whole study is found. */
async function notified(tenant, { studyUid, files }, parallel) {
  const slots = [];
  await timed(
    files.map((_, index) => async () => void (slots[index] = await issue(tenant))),
    8,
  );
  const begun = performance.now();
  const told = [];
  await timed(
    files.map((bytes, index) => async () => {
      await put(slots[index].url, bytes);
      told.push(notify(tenant, slots[index].key)); // the bucket's doing: the uploader does not wait for it
    }),
    parallel,
  );
  await Promise.all(told);
  await found(tenant, studyUid, files.length);
  return (performance.now() - begun) / 1000;
}

async function unaided(tenant, { studyUid, files }, parallel) {
  const begun = performance.now();
  await timed(
    files.map((bytes) => async () => put((await issue(tenant)).url, bytes)),
    parallel,
  );
  await found(tenant, studyUid, files.length);
  return (performance.now() - begun) / 1000;
}

const issue = ({ baseUrl, apiKey }) => get(`${baseUrl}/upload`, apiKey);

/** As Ceph RGW tells of it, one object at a time. */
async function notify({ baseUrl, environment }, key) {
  const record = { eventName: 'ObjectCreated:Put', eventSource: 'ceph:s3', s3: { object: { key } } };
  const response = await fetch(`${baseUrl}/internal/storage-events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${environment.STORAGE_EVENTS_SECRET}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ Records: [record] }),
  });
  if (!response.ok) throw new Error(`notification: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

async function found({ baseUrl, apiKey }, studyUid, count) {
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, POLL_MS))) {
    const { items } = await get(`${baseUrl}/studies?study_uid=${studyUid}`, apiKey);
    if (items[0]?.instances === count) return;
    if (Date.now() - begun > LIMIT_MS) throw new Error(`${items[0]?.instances ?? 0} of ${count} were found`);
  }
}

async function get(url, apiKey) {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`);
  return response.json();
}
