import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  compoundFile,
  CSV,
  jpeg,
  pdf,
  png,
  svg,
  tiff,
  webp,
  webpPixels,
} from '../../../src/formats/document/document.fixture.js';
import { Clinic, type Patient } from '../../support/clinic.js';
import { createWorld, type World } from '../../support/world.js';

const NO_CASE = {
  status: 403,
  success: false,
  error: 'You do not have access to this case',
  code: 'VALIDATION_ERROR',
};
const NO_FILE = { status: 404, success: false, error: 'File not found', code: 'VALIDATION_ERROR' };
const INVALID = { status: 400, success: false, error: 'Validation failed', code: 'VALIDATION_ERROR' };

let world: World;
let clinic: Clinic;
let patient: Patient;
let caseId: string;

beforeAll(async () => {
  world = await createWorld({ FILES_MAX_BYTES: String(1024 * 1024) });
  await world.startWorker();
  clinic = await Clinic.open(world);
  ({ patient, caseId } = await clinic.admit());
}, 60_000);
afterAll(() => world.close());

describe('an upload', () => {
  it('to a case answers as the seed says, and is listed', async () => {
    const { status, body, headers } = await patient.upload('fine', { caseId });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/json');
    const { id, createdAt } = body.data;
    expect(body).toEqual({
      status: 200,
      success: true,
      data: { id, fileName: 'note.txt', isPHI: false, isRestricted: false, caseId, createdAt },
    });
    expect(Object.keys(body.data)).toEqual([
      'id',
      'fileName',
      'isPHI',
      'isRestricted',
      'caseId',
      'createdAt',
    ]);
    expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const uploadedBy = { id: patient.id, firstName: 'Jane', lastName: 'Doe' };
    const item = { ...body.data, uploadedBy };
    expect((await patient.list()).body).toEqual({ status: 200, success: true, data: { files: [item] } });
    expect((await patient.metadata(id)).body).toEqual({ status: 200, success: true, data: item });
  });

  it('without a case is a general document: not listed, found by its id and by staff', async () => {
    const { body } = await patient.upload('general');
    expect(body.data.caseId).toBeNull();
    const listed = (await patient.list()).body.data.files.map(({ id }: { id: string }) => id);
    expect(listed).not.toContain(body.data.id);
    expect((await patient.metadata(body.data.id)).body.data.caseId).toBeNull();
    const { items } = (await clinic.staff.get(`/api/v1/admin/documents?patient_id=${patient.id}`)).body;
    expect(items).toEqual([expect.objectContaining({ id: body.data.id, case_id: null, name: 'note.txt' })]);
  });

  it.each([
    ['application/pdf', pdf()],
    ['application/msword', compoundFile()],
    ['text/csv', Buffer.from(CSV)],
    ['text/plain', Buffer.from('Überweisung', 'latin1')],
    ['image/jpeg', jpeg()],
    ['image/png', png()],
    ['image/svg+xml', Buffer.from(svg('<script>alert(1)</script>'))],
    ['image/tiff', tiff()],
    ['image/webp', webp(webpPixels)],
  ])('of %s comes back as it went in, as a download of a harmless type', async (mimeType, bytes) => {
    const id = await patient.deliver(bytes, { caseId, mimeType, name: 'a file' });
    const { body } = await patient.download(id);
    expect(body.data).toEqual({ downloadUrl: expect.any(String), fileName: 'a file', expiresIn: 900 });
    const fetched = await patient.fetch(id);
    expect(fetched.bytes).toEqual(bytes);
    expect(fetched.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(fetched.headers.get('content-type')).toBe('application/octet-stream');
  });

  it('is the same one when it is repeated with its Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await patient.upload('once', { caseId, headers });
    const again = await Promise.all([1, 2, 3].map(() => patient.upload('once', { caseId, headers })));
    for (const { body } of again.filter(({ status }) => status === 200)) expect(body).toEqual(first.body);
    expect(again.map(({ status }) => status).filter((status) => ![200, 409].includes(status))).toEqual([]);
    expect((await patient.upload('other', { caseId, headers })).status).toBe(422);
    const { files } = (await patient.list(`?caseId=${caseId}`)).body.data;
    expect(files.filter(({ id }: { id: string }) => id === first.body.data.id)).toHaveLength(1);
  });

  it('repeated does not show what was hidden since', async () => {
    for (const hide of [
      (id: string) => patient.remove(id),
      (id: string) => clinic.staff.call('PATCH', `/api/v1/admin/files/${id}`, { is_restricted: true }),
    ]) {
      const headers = { 'idempotency-key': randomUUID() };
      const { body } = await patient.upload('hidden', { caseId, headers });
      await hide(body.data.id);
      expect((await patient.upload('hidden', { caseId, headers })).body).toEqual(NO_FILE);
    }
  });

  it('reads base64 whose slashes an encoder escaped', async () => {
    const bytes = Buffer.from('\u07ff'.repeat(90)); // whose base64 is full of slashes
    const data = Buffer.from(bytes).toString('base64').replaceAll('/', '\\/');
    const body = `{"name":"n.txt","mimeType":"text/plain","data":"${data}"}`;
    const { status, text } = await patient.post('/api/v1/users/me/files/upload', body);
    expect([status, text]).toEqual([200, expect.any(String)]);
  });

  it('takes a body whose data come first', async () => {
    const body = `{ "data": "${Buffer.from('x').toString('base64')}", "mimeType": "text/plain", "name": "n" }`;
    expect((await patient.post('/api/v1/users/me/files/upload', body)).status).toBe(200);
  });
});

describe('what is refused', () => {
  const other = randomUUID();

  it.each<[string, Record<string, unknown>]>([
    ['no name', { name: undefined }],
    ['an empty name', { name: '' }],
    ['a name of 256 characters', { name: 'x'.repeat(256) }],
    ['a name with control characters', { name: 'a\u0000b' }],
    ['a name that turns the direction of writing', { name: 'a\u202etxt.exe' }],
    ['a name that is a path', { name: '../../etc/passwd' }],
    ['no data', { data: undefined }],
    ['empty data', { data: '' }],
    ['data that are no string', { data: 5 }],
    ['no padding', { data: 'QQ' }],
    ['wrong padding', { data: 'QUI==' }],
    ['bits that decode to nothing', { data: 'QR==' }],
    ['url-safe base64', { data: '-_-_' }],
    ['line breaks', { data: 'QUJD\nQUJD' }],
    ['no type', { mimeType: undefined }],
    ['a type that is not on the list', { mimeType: 'application/zip' }],
    ['a case that is no UUID', { caseId: 'mine' }],
    ['an unknown field', { isPHI: true }],
    ['a PNG called PDF', { mimeType: 'application/pdf', data: png().toString('base64') }],
    ['a PDF called PNG', { mimeType: 'image/png', data: pdf().toString('base64') }],
    ['a page called text', { data: Buffer.from('<!doctype html><script>1</script>').toString('base64') }],
  ])('%s', async (_, fields) => {
    const answer = await patient.upload('x', fields);
    expect([answer.status, answer.body]).toEqual([400, INVALID]);
    expect(Object.keys(answer.body)).toEqual(['status', 'success', 'error', 'code']);
    expect(answer.headers.get('x-validation-error')).toMatch(/^[\x20-\x7e]{5,}$/);
  });

  it.each(['', 'nonsense', '[]', '"x"', '{"name":"a"', 'null'])('the body %j', async (body) => {
    const answer = await patient.post('/api/v1/users/me/files/upload', body || undefined, {
      'content-type': 'application/json',
    });
    expect([answer.status, answer.body]).toEqual([400, INVALID]);
  });

  it('another content type', async () => {
    const answer = await patient.post('/api/v1/users/me/files/upload', 'a=b', {
      'content-type': 'text/plain',
    });
    expect(answer.body).toEqual({ ...INVALID, status: 415, error: expect.any(String) });
  });

  it('a file above the limit, in the same envelope; one at the limit is taken', async () => {
    const limit = 1024 * 1024;
    expect((await patient.upload('a'.repeat(limit))).status).toBe(200);
    const above = await patient.upload('a'.repeat(limit + 1));
    expect(above.body).toEqual({
      status: 413,
      success: false,
      error: expect.any(String),
      code: 'VALIDATION_ERROR',
    });
    const far = await patient.upload('a'.repeat(4 * limit));
    expect(far.body).toEqual(above.body);
  });

  it("a case that is another patient's, another organization's or nobody's: the seed's 403", async () => {
    const stranger = await (await Clinic.open(world)).openCase();
    const neighbour = await clinic.openCase();
    for (const id of [stranger.caseId, neighbour.caseId, other]) {
      expect((await patient.upload('x', { caseId: id })).body).toEqual(NO_CASE);
      expect((await patient.list(`?caseId=${id}`)).body).toEqual(NO_CASE);
    }
  });

  it('a closed case', async () => {
    const closed = await clinic.openCase({ patient: undefined, patient_id: patient.id });
    await clinic.staff.post(`/api/v1/admin/cases/${closed.caseId}/close`);
    expect((await patient.upload('x', { caseId: closed.caseId })).body).toEqual({
      ...NO_CASE,
      error: 'This case is closed',
    });
  });
});

describe('while its bytes are on their way', () => {
  /** Sends the first half of an upload, lets `between` happen, sends the rest. */
  async function interrupted(of: Patient, to: string, between: () => Promise<unknown>) {
    const json = JSON.stringify({
      name: 'late.txt',
      mimeType: 'text/plain',
      caseId: to,
      data: Buffer.from('late'.repeat(50)).toString('base64'),
    });
    const body = async function* () {
      yield Buffer.from(json.slice(0, 40));
      await between();
      yield Buffer.from(json.slice(40));
    };
    const response = await fetch(`${world.baseUrl}/api/v1/users/me/files/upload`, {
      method: 'POST',
      headers: { ...of.credentials, 'content-type': 'application/json' },
      body: ReadableStream.from(body()) as never,
      duplex: 'half',
    } as RequestInit);
    return { status: response.status, body: await response.json() };
  }

  it('a case that is closed takes them no more', async () => {
    const { patient: another, caseId: closing } = await clinic.admit();
    const answer = await interrupted(another, closing, () =>
      clinic.staff.post(`/api/v1/admin/cases/${closing}/close`),
    );
    expect(answer).toEqual({ status: 403, body: { ...NO_CASE, error: 'This case is closed' } });
  });

  it('a session that is over takes them no further', async () => {
    const { patient: leaving, caseId: theirs } = await clinic.admit();
    const answer = await interrupted(leaving, theirs, async () => {
      await world.admin.query('UPDATE user_session SET revoked_at = now() WHERE user_id = $1', [leaving.id]);
      await new Promise((resolve) => setTimeout(resolve, 600)); // what was believed before is believed for half a second
    });
    expect(answer.status).toBe(401);
  });
});

describe('the uniform 404', () => {
  it('is one answer to what is absent, deleted, restricted, another’s, another organization’s and by staff', async () => {
    const neighbour = await clinic.admit();
    const foreign = await (await Clinic.open(world)).admit();
    const deleted = await patient.deliver('gone', { caseId });
    await patient.remove(deleted);
    const restricted = await patient.deliver('hidden', { caseId });
    await clinic.staff.call('PATCH', `/api/v1/admin/files/${restricted}`, { is_restricted: true });
    const ids = [
      randomUUID(),
      deleted,
      restricted,
      await neighbour.patient.deliver('theirs', { caseId: neighbour.caseId }),
      await foreign.patient.deliver('elsewhere', { caseId: foreign.caseId }),
    ];
    const staffs = await clinic.attach(caseId, Buffer.from(`by staff ${randomUUID()}`));
    for (const id of ids)
      for (const answer of [
        await patient.metadata(id),
        await patient.download(id),
        await patient.rename(id, 'x'),
        await patient.remove(id),
      ])
        expect([answer.status, answer.text]).toEqual([404, JSON.stringify(NO_FILE)]);
    for (const answer of [await patient.rename(staffs, 'x'), await patient.remove(staffs)])
      expect([answer.status, answer.text]).toEqual([404, JSON.stringify(NO_FILE)]);
    expect((await patient.metadata(staffs)).status).toBe(200); // which they may read
  });

  it('is a 400 for what is no UUID', async () => {
    expect((await patient.metadata('mine')).body).toEqual(INVALID);
  });

  it('takes about the same time, whichever it is', async () => {
    const neighbour = await clinic.admit();
    const theirs = await neighbour.patient.deliver('theirs', { caseId: neighbour.caseId });
    // Of the quicker halves, which a busy machine moves least. Noise may do it once, but not each of three times.
    const quartile = (of: number[]) => of.sort((a, b) => a - b)[of.length >> 2]!;
    const apart: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const spent = { theirs: [] as number[], absent: [] as number[] };
      for (let round = 0; round < 60; round++)
        for (const [kind, id] of [
          ['theirs', theirs],
          ['absent', randomUUID()],
        ] as const) {
          const begun = performance.now();
          await patient.metadata(id);
          spent[kind].push(performance.now() - begun);
        }
      const ratio = quartile(spent.theirs) / quartile(spent.absent);
      if (ratio > 0.6 && ratio < 1.6) return;
      apart.push(ratio);
    }
    expect(apart).toBe('between 0.6 and 1.6');
  }, 60_000);
});

describe('a file', () => {
  it('is renamed by who uploaded it; its bytes stay', async () => {
    const id = await patient.deliver('same', { caseId });
    const { body } = await patient.rename(id, 'renamed.txt');
    expect(body).toEqual({
      status: 200,
      success: true,
      data: expect.objectContaining({ id, fileName: 'renamed.txt' }),
    });
    expect((await patient.download(id)).body.data.fileName).toBe('renamed.txt');
    for (const bad of [{}, { fileName: '' }, { fileName: 'x'.repeat(256) }, { fileName: 'a', isPHI: true }])
      expect((await patient.call('PATCH', `/api/v1/users/me/files/${id}/metadata`, bad)).body).toEqual(
        INVALID,
      );
  });

  it('is deleted softly: gone at once, its upload with it', async () => {
    const id = await patient.deliver('soon gone', { caseId });
    expect((await patient.remove(id)).body).toEqual({
      status: 200,
      success: true,
      message: 'File deleted successfully',
    });
    const { rows } = await world.admin.query(
      `SELECT f.deleted_at IS NOT NULL AS deleted, f.deleted_by_id, u.state FROM patient_file f
       JOIN upload u ON u.id = f.upload_id WHERE f.id = $1`,
      [id],
    );
    expect(rows).toEqual([{ deleted: true, deleted_by_id: patient.id, state: 'deleted' }]);
    expect((await patient.list()).text).not.toContain(id);
  });

  it('is deleted once by ten who ask at once', async () => {
    const id = await patient.deliver('contested', { caseId });
    const answers = await Promise.all(Array.from({ length: 10 }, () => patient.remove(id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([
      200,
      ...Array.from({ length: 9 }, () => 404),
    ]);
  });

  it('of the same bytes as another outlives it', async () => {
    const [first, second] = [
      await patient.deliver('twins', { caseId }),
      await patient.deliver('twins', { caseId }),
    ];
    await patient.remove(first);
    expect((await patient.fetch(second)).bytes.toString()).toBe('twins');
  });
});

describe('the list', () => {
  it('is newest first, by case and by type, page by page', async () => {
    const { patient: another, caseId: one } = await clinic.admit();
    const { caseId: two } = await clinic.openCase({ patient: undefined, patient_id: another.id });
    const ids: string[] = [];
    for (const at of [one, two, one]) ids.unshift(await another.deliver(randomUUID(), { caseId: at }));
    await clinic.staff.call('PATCH', `/api/v1/admin/files/${ids[0]}`, { is_phi: true });
    const listed = async (query: string) =>
      (await another.list(query)).body.data.files.map(({ id }: { id: string }) => id);
    expect(await listed('')).toEqual(ids);
    expect(await listed(`?caseId=${one}`)).toEqual([ids[0], ids[2]]);
    expect(await listed('?type=phi')).toEqual([ids[0]]);
    expect(await listed('?type=general')).toEqual([ids[1], ids[2]]);
    const page = (await another.list('?limit=2')).body.data;
    expect(page.files).toHaveLength(2);
    expect(await listed(`?limit=2&cursor=${page.nextCursor}`)).toEqual([ids[2]]);
    for (const bad of ['?type=all', '?caseId=x', '?limit=0', '?limit=101', '?cursor=x', '?x=1'])
      expect((await another.list(bad)).body).toEqual(INVALID);
  });

  it('is empty for who has none', async () => {
    const { patient: another } = await clinic.admit();
    expect((await another.list()).body).toEqual({ status: 200, success: true, data: { files: [] } });
  });
});
