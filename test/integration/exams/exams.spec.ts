import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, eventually, put } from '../../support/client.js';
import { ctInstance, ctSeries } from '../../support/dicom-files.js';
import { createExam, examBody, uploadExam } from '../../support/exam.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

let world: World;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  await world.startWorker();
});
afterAll(() => world.close());

const detail = async (id: string) => (await client.get(`/api/v1/exams/${id}`)).body;
const settled = (id: string) =>
  eventually(
    () => detail(id),
    ({ ingestion_status }) => !['pending', 'processing'].includes(ingestion_status),
  );

describe('the three steps', () => {
  it('create, PUT, confirm: a registered study behind a share link', async () => {
    const files = Object.fromEntries(ctSeries(5).map((bytes, index) => [`ct_${index}.dcm`, bytes]));
    const exam = await uploadExam(client, files);
    const confirmed = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    expect(confirmed.status).toBe(200);
    expect(confirmed.body).toEqual({
      ok: true,
      exam_id: exam.exam_id,
      status: 'ready',
      share_url: expect.stringMatching(/\/share\/[\w-]{43}$/),
      viewer_url: expect.stringMatching(/\/viewer\/[\w-]{43}$/),
    });
    const { ingestion_status, files: states, study_uids } = await settled(exam.exam_id);
    expect(ingestion_status).toBe('registered');
    expect(states.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual(
      Object.keys(files).map((name) => [name, 'registered']),
    );
    expect(study_uids).toHaveLength(1);
  });

  it('answers a creation with one signed URL a file, in order, never cached', async () => {
    const { status, headers, body } = await client.post(
      '/api/v1/exams',
      examBody({ 'b.dcm': 7, 'a.dcm': 9 }),
    );
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      exam_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'uploading',
      upload_urls: [
        expect.objectContaining({ name: 'b.dcm', method: 'PUT', headers: { 'content-length': '7' } }),
        expect.objectContaining({ name: 'a.dcm', method: 'PUT', headers: { 'content-length': '9' } }),
      ],
    });
    expect(body.upload_urls[0].url).not.toContain('b.dcm');
    const lifetime = Date.parse(body.upload_urls[0].expires_at) - Date.now();
    expect(lifetime).toBeGreaterThan(880_000);
    expect(lifetime).toBeLessThanOrEqual(900_000);
  });

  it('refuses a PUT that is a byte short or long, without credentials, or by another method', async () => {
    const bytes = ctInstance();
    const exam = await createExam(client, { 'a.dcm': bytes });
    const { url } = exam.upload_urls[0]!;
    expect(await put(url, bytes.subarray(1))).toBe(403);
    expect(await put(url, Buffer.concat([bytes, Buffer.from('x')]))).toBe(403);
    expect(await put(url.replace(/X-Amz-Signature=\w{4}/, 'X-Amz-Signature=0000'), bytes)).toBe(403);
    expect(
      await put(url.replace(/staging\/[\w-]+\/[\w-]+/, `staging/${tenant.organizationId}/other`), bytes),
    ).toBe(403);
    expect((await fetch(url)).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    const confirm = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    expect(confirm.status).toBe(409);
  });

  it('names what is missing, keeps what has landed, and re-issues only the rest', async () => {
    const [one, two] = ctSeries(2) as [Uint8Array, Uint8Array];
    const exam = await createExam(client, { 'one.dcm': one, 'two.dcm': two });
    expect(await put(exam.upload_urls[0]!.url, one)).toBe(200);
    const early = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    expect(early.status).toBe(409);
    expect(early.body.error).toEqual({
      code: 'files_missing',
      message: expect.stringContaining('two.dcm'),
      missing: ['two.dcm'],
    });

    const fresh = await client.post(`/api/v1/exams/${exam.exam_id}/urls`);
    expect(fresh.status).toBe(200);
    expect(fresh.body.upload_urls.map(({ name }: { name: string }) => name)).toEqual(['two.dcm']);
    expect(await put(fresh.body.upload_urls[0].url, two)).toBe(200);
    expect((await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).status).toBe(200);
    expect((await client.post(`/api/v1/exams/${exam.exam_id}/urls`)).body).toMatchObject({
      status: 'ready',
      upload_urls: [],
    });
    expect((await settled(exam.exam_id)).ingestion_status).toBe('registered');
  });

  it('confirms once, however many confirm at once', async () => {
    const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => client.post(`/api/v1/exams/${exam.exam_id}/confirm`)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const { rows } = await world.admin.query(
      `SELECT detail->>'repeated' AS repeated, count(*)::int FROM audit_event WHERE action = 'exams:confirm' AND outcome = 'success'
       AND resource_id = $1 GROUP BY 1 ORDER BY 1`,
      [exam.exam_id],
    );
    expect(rows).toEqual([
      { repeated: 'false', count: 1 },
      { repeated: 'true', count: 7 },
    ]);
    const { rows: links } = await world.admin.query(
      'SELECT count(*)::int FROM share_link WHERE exam_id = $1',
      [exam.exam_id],
    );
    expect(links[0].count).toBe(1);
  });
});

describe('content', () => {
  it('names the rule of each bad file and registers the good ones', async () => {
    const good = ctInstance();
    const exam = await uploadExam(client, {
      'good.dcm': good,
      'truncated.dcm': ctInstance().subarray(0, -100),
      'text.dcm': Buffer.from('This is no DICOM file at all, it is a shopping list.'),
      'no-study.dcm': ctInstance({ StudyInstanceUID: '' }),
      'empty.dcm': new Uint8Array(0),
    });
    expect((await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).status).toBe(200);
    const { ingestion_status, files } = await settled(exam.exam_id);
    expect(ingestion_status).toBe('partially_registered');
    expect(
      Object.fromEntries(files.map((file: any) => [file.name, file.rejection?.rule ?? file.state])),
    ).toEqual({
      'good.dcm': 'registered',
      'truncated.dcm': 'dicom.truncated',
      'text.dcm': 'dicom.not-part10',
      'no-study.dcm': 'dicom.missing-study-uid',
      'empty.dcm': 'empty',
    });
    expect(files[3].rejection.where).toBe('(0020,000D)');
  });

  it('keeps equal content once and says so', async () => {
    const bytes = ctInstance();
    const first = await uploadExam(client, { 'a.dcm': bytes });
    await client.post(`/api/v1/exams/${first.exam_id}/confirm`);
    await settled(first.exam_id);
    const second = await uploadExam(client, { 'b.dcm': bytes });
    await client.post(`/api/v1/exams/${second.exam_id}/confirm`);
    expect((await settled(second.exam_id)).ingestion_status).toBe('registered');
    const { rows } = await world.admin.query(
      `SELECT u.duplicate, u.stored_object_id FROM upload u JOIN slot s ON s.id = u.slot_id WHERE s.exam_id = ANY($1) ORDER BY u.id`,
      [[first.exam_id, second.exam_id]],
    );
    expect(rows.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect(rows[0].stored_object_id).toBe(rows[1].stored_object_id);
  });

  it('never lets an instance take the place of another patient’s', async () => {
    const SOPInstanceUID = '1.2.3.4.5.6.7';
    const mine = await uploadExam(client, { 'a.dcm': ctInstance({ SOPInstanceUID, PatientID: 'A' }) });
    await client.post(`/api/v1/exams/${mine.exam_id}/confirm`);
    expect((await settled(mine.exam_id)).ingestion_status).toBe('registered');
    const theirs = await uploadExam(client, { 'a.dcm': ctInstance({ SOPInstanceUID, PatientID: 'B' }) });
    await client.post(`/api/v1/exams/${theirs.exam_id}/confirm`);
    const { files } = await settled(theirs.exam_id);
    expect(files[0].rejection.rule).toBe('dicom.conflict');
  });

  it('is not changed by a PUT replayed after verification', async () => {
    const bytes = ctInstance();
    const other = Uint8Array.from(bytes); // of the length that is signed
    other[other.length - 1]! ^= 1;
    const exam = await uploadExam(client, { 'a.dcm': bytes });
    const confirmed = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    const { files } = await settled(exam.exam_id);
    expect(await put(exam.upload_urls[0]!.url, other)).toBe(200); // the URL is still good; the ledger is not moved by it
    await new Promise((resolve) => setTimeout(resolve, 1000)); // several passes of the reconciler
    expect(await detail(exam.exam_id)).toMatchObject({ files, ingestion_status: 'registered' });
    const page = await fetch(`${confirmed.body.share_url}/files/${files[0].upload_id}`);
    expect(Buffer.from(await page.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
  });
});

describe('reading and ending', () => {
  it('lists by cursor and by offset, newest first', async () => {
    const own = await world.newTenant();
    const lister = new Client(world.baseUrl, own.apiKey);
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.unshift((await createExam(lister, { 'a.dcm': 1 })).exam_id);
    const first = (await lister.get('/api/v1/exams?limit=2')).body;
    const second = (await lister.get(`/api/v1/exams?limit=2&cursor=${first.next_cursor}`)).body;
    const third = (await lister.get(`/api/v1/exams?limit=2&cursor=${second.next_cursor}`)).body;
    expect([...first.items, ...second.items, ...third.items].map(({ exam_id }: any) => exam_id)).toEqual(
      made,
    );
    expect(third.next_cursor).toBeUndefined();
    const skipped = (await lister.get('/api/v1/exams?limit=2&offset=2')).body;
    expect(skipped.items.map(({ exam_id }: any) => exam_id)).toEqual(made.slice(2, 4));
    expect(first.items[0]).toMatchObject({
      status: 'uploading',
      ingestion_status: 'pending',
      file_count: 1,
      share_url: null,
    });
  });

  it('tells the key’s account', async () => {
    expect((await client.get('/api/v1/me')).body).toEqual({
      account: { kind: 'api_key', id: expect.any(String), name: 'key' },
      organization: { id: tenant.organizationId, name: 'Tenant' },
      scopes: expect.arrayContaining(['exams:write']),
      storage_used_bytes: expect.any(Number),
    });
  });

  it('deletes: gone for everybody at once, out of the study index, bytes purged later', async () => {
    const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
    const { share_url } = (await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).body;
    const { study_uids } = await settled(exam.exam_id);
    expect((await client.delete(`/api/v1/exams/${exam.exam_id}`)).status).toBe(204);
    expect((await client.get(`/api/v1/exams/${exam.exam_id}`)).status).toBe(404);
    expect((await client.delete(`/api/v1/exams/${exam.exam_id}`)).status).toBe(404);
    expect((await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).status).toBe(404);
    expect((await fetch(share_url)).status).toBe(404);
    const { rows } = await world.admin.query('SELECT 1 FROM study WHERE study_instance_uid = $1', [
      study_uids[0],
    ]);
    expect(rows).toEqual([]);
  });
});
