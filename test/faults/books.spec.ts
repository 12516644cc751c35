import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Answer, Client, eventually, put } from '../support/client.js';
import { ctInstance, ctSeries } from '../support/dicom-files.js';
import { type CreatedExam, examBody } from '../support/exam.js';
import { findDisagreements, statesOf } from '../support/ledger-checks.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

const UPLOADERS = 20;
const EXAMS_EACH = 2;
const FILES = 10;

let world: World;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', RATE_LIMIT_PER_MINUTE: '1000000' });
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  await world.startWorker();
}, 60_000);
afterAll(() => world.close(), 120_000);

/** A busy service says 503 and when to come back; nothing was done. Callers come back. */
async function patiently(call: () => Promise<Answer>): Promise<Answer> {
  const answer = await call();
  if (answer.status !== 503) return answer;
  await setTimeout(Number(answer.headers.get('retry-after')) * 1000);
  return patiently(call);
}

/** Sends half of the body and destroys the socket. */
const abort = (url: string, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    const sending = request(url, { method: 'PUT', headers: { 'content-length': bytes.length } });
    sending.on('error', () => resolve());
    sending.on('close', () => resolve());
    sending.write(bytes.subarray(0, bytes.length / 2), () => sending.destroy());
  });

interface Books {
  /** URLs ever given out. */
  issued: number;
  living: { id: string; files: number }[];
  aborted: number;
}

/** What callers really do: break off, come back, ask for new URLs, confirm twice at once, change their minds. */
async function behave(number: number, books: Books): Promise<void> {
  const shared = ctSeries(FILES - 1);
  for (let round = 0; round < EXAMS_EACH; round++) {
    // The second exam brings half of the first's files again.
    const files = Object.fromEntries(
      [...shared.map((bytes, index) => (round > 0 && index % 2 ? ctInstance() : bytes)), ctInstance()].map(
        (bytes, index) => [`${index}.dcm`, bytes],
      ),
    );
    const created = await patiently(() => client.post<CreatedExam>('/api/v1/exams', examBody(files)));
    expect(created.status).toBe(201);
    const { exam_id: id, upload_urls } = created.body;
    let urls = upload_urls;
    books.issued += urls.length;
    for (let attempt = 1; urls.length > 0; attempt++) {
      for (const { name, url } of urls) {
        const dice = Math.random();
        if (attempt < 4 && dice < 0.2) {
          await abort(url, files[name]!);
          books.aborted++;
        } else if (attempt > 3 || dice < 0.9) expect(await put(url, files[name]!)).toBe(200);
        if (dice > 0.85 && dice < 0.9) await put(url, files[name]!); // sent twice
      }
      const again = await patiently(() => client.post<CreatedExam>(`/api/v1/exams/${id}/urls`));
      expect(again.status).toBe(200);
      urls = again.body.upload_urls;
      books.issued += urls.length;
    }
    const confirm = () => patiently(() => client.post(`/api/v1/exams/${id}/confirm`));
    const confirms = await Promise.all([confirm(), confirm(), confirm()]);
    expect(confirms.map(({ status }) => status)).toEqual([200, 200, 200]);
    if ((number + round) % 5 === 0) {
      // Deleted by two at once, while the workers are at it.
      const end = () => patiently(() => client.delete(`/api/v1/exams/${id}`));
      const ends = await Promise.all([end(), end()]);
      expect(ends.map(({ status }) => status).sort()).toEqual([204, 404]);
    } else books.living.push({ id, files: FILES });
  }
}

it('balances the books of 20 uploaders who break off, repeat themselves and delete', async () => {
  const books: Books = { issued: 0, living: [], aborted: 0 };
  await Promise.all(Array.from({ length: UPLOADERS }, (_, number) => behave(number, books)));
  for (const { id } of books.living) {
    const seen = await eventually(
      async () => (await client.get(`/api/v1/exams/${id}`)).body,
      ({ ingestion_status }) => ingestion_status === 'registered',
    );
    expect(seen.status).toBe('ready');
  }
  expect(books.aborted).toBeGreaterThan(10);

  const { landed = 0, verified = 0, ...states } = await statesOf(world.admin, tenant.organizationId);
  expect([landed, verified]).toEqual([0, 0]); // all that is present is settled
  expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(books.issued);
  const filled = books.living.reduce((sum, { files }) => sum + files, 0);
  expect(states.registered).toBeGreaterThanOrEqual(filled);
  expect(states.rejected ?? 0).toBe(0);
  expect(await findDisagreements(world, tenant.organizationId)).toEqual([]);

  const { rows } = await world.admin.query<{ action: string; count: number }>(
    `SELECT action, count(*)::int FROM audit_event WHERE organization_id = $1 AND outcome = 'success'
     AND action IN ('exams:create', 'exams:confirm', 'exams:delete') GROUP BY 1`,
    [tenant.organizationId],
  );
  const exams = UPLOADERS * EXAMS_EACH;
  expect(Object.fromEntries(rows.map(({ action, count }) => [action, count]))).toEqual({
    'exams:create': exams,
    'exams:confirm': 3 * exams,
    'exams:delete': exams - books.living.length,
  });
}, 240_000);
