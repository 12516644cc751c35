import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, tokenFor } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { declarationOf } from '../../support/inspector.js';
import { createWorld, type World } from '../../support/world.js';

const CASES = '/api/v1/admin/cases';

let world: World;
let clinic: Clinic;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
  clinic = await Clinic.open(world);
}, 60_000);
afterAll(() => world.close());

describe('a case', () => {
  it('is opened for a patient, who is made by it or found', async () => {
    const email = `${randomUUID()}@Patients.Example`;
    const patient = { email, first_name: 'Jane', last_name: 'Doe' };
    const first = await clinic.staff.post(CASES, { patient, title: 'Knee pain' });
    expect([first.status, first.body]).toEqual([
      201,
      {
        id: expect.any(String),
        state: 'open',
        title: 'Knee pain',
        patient: {
          id: expect.any(String),
          first_name: 'Jane',
          last_name: 'Doe',
          email: email.toLowerCase(),
          phone_number: null,
        },
        created_at: expect.any(String),
        closed_at: null,
      },
    ]);
    const second = await clinic.staff.post(CASES, { patient: { email: ` ${email.toUpperCase()} ` } });
    expect(second.body.patient).toEqual(first.body.patient);
    const third = await clinic.staff.post(CASES, { patient_id: first.body.patient.id });
    expect(third.body.patient).toEqual(first.body.patient);
    expect((await clinic.staff.get(`${CASES}/${first.body.id}`)).body).toEqual(first.body);
  });

  it('makes one patient of ten who are opened for at once', async () => {
    const patient = { phone_number: `+1555${String(Date.now()).slice(-7)}` };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => clinic.staff.post(CASES, { patient })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.patient.id)).size).toBe(1);
  });

  it('is not opened for two patients who are taken for one', async () => {
    const [email, phone_number] = [`${randomUUID()}@a.example`, `+1556${String(Date.now()).slice(-7)}`];
    await clinic.staff.post(CASES, { patient: { email } });
    await clinic.staff.post(CASES, { patient: { phone_number } });
    const answer = await clinic.staff.post(CASES, { patient: { email, phone_number } });
    expect([answer.status, answer.body.code]).toEqual([409, 'patient_ambiguous']);
  });

  it('is not opened for somebody of another name at that address', async () => {
    const email = `${randomUUID()}@a.example`;
    await clinic.staff.post(CASES, { patient: { email, first_name: 'Jane' } });
    const answer = await clinic.staff.post(CASES, { patient: { email, first_name: 'Robert' } });
    expect([answer.status, answer.body.code]).toEqual([409, 'patient_ambiguous']);
    expect((await clinic.staff.post(CASES, { patient: { email, first_name: 'JANE' } })).status).toBe(201);
  });

  it('tells who may open cases and read none nothing of a patient who is known', async () => {
    const { patientId } = await clinic.openCase();
    const token = await tokenFor(world.baseUrl, clinic.tenant, 'cases:write');
    const { status, body } = await new Client(world.baseUrl, token).post(CASES, { patient_id: patientId });
    expect([status, body.patient]).toEqual([
      201,
      { id: patientId, first_name: '', last_name: '', email: null, phone_number: null },
    ]);
  });

  it('is opened once for a repeated Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { patient: { email: `${randomUUID()}@a.example` } };
    const [first, again] = [
      await clinic.staff.post(CASES, body, headers),
      await clinic.staff.post(CASES, body, headers),
    ];
    expect(again.body).toEqual(first.body);
  });

  it('is closed once, and says so each time', async () => {
    const { caseId } = await clinic.openCase();
    const [first, again] = [
      await clinic.staff.post(`${CASES}/${caseId}/close`),
      await clinic.staff.post(`${CASES}/${caseId}/close`),
    ];
    expect([first.status, first.body.state]).toEqual([200, 'closed']);
    expect(again.body).toEqual(first.body);
    const attached = await clinic.staff.post(`${CASES}/${caseId}/attachments`, { file_id: randomUUID() });
    expect([attached.status, attached.body.code]).toEqual([409, 'case_closed']);
  });

  it('is listed newest first, by patient and by state', async () => {
    const { caseId, patientId } = await clinic.openCase();
    const second = await clinic.openCase({ patient: undefined, patient_id: patientId });
    await clinic.staff.post(`${CASES}/${caseId}/close`);
    const listed = async (query: string) =>
      (await clinic.staff.get(`${CASES}?patient_id=${patientId}${query}`)).body.items.map(
        ({ id }: { id: string }) => id,
      );
    expect(await listed('')).toEqual([second.caseId, caseId]);
    expect(await listed('&state=open')).toEqual([second.caseId]);
    expect(await listed('&state=closed')).toEqual([caseId]);
    const page = (await clinic.staff.get(`${CASES}?limit=1`)).body;
    expect(page.items[0].id).toBe(second.caseId);
    expect((await clinic.staff.get(`${CASES}?limit=1&cursor=${page.next_cursor}`)).body.items[0].id).toBe(
      caseId,
    );
  });

  it.each<[string, object]>([
    ['nobody', {}],
    ['two ways of saying who', { patient_id: randomUUID(), patient: { email: 'a@b.example' } }],
    ['no way to reach them', { patient: { first_name: 'Jane' } }],
    ['a bad address', { patient: { email: 'jane' } }],
    ['a bad number', { patient: { phone_number: '0555 123' } }],
    ['an unknown field', { patient: { email: 'a@b.example', role: 'owner' } }],
    ['a title of 201 characters', { patient: { email: 'a@b.example' }, title: 'x'.repeat(201) }],
  ])('is not opened for %s', async (_, body) => {
    const answer = await clinic.staff.post(CASES, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('is not opened for a patient of another organization', async () => {
    const { patientId } = await (await Clinic.open(world)).openCase();
    const answer = await clinic.staff.post(CASES, { patient_id: patientId });
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });
});

describe('staff', () => {
  it('attaches a completed inspect file, which the patient then sees as the clinic’s', async () => {
    const { patient, caseId } = await clinic.admit();
    const id = await clinic.attach(caseId, Buffer.from('the plan'), { is_phi: true });
    const { body } = await patient.metadata(id);
    expect(body.data).toMatchObject({ fileName: 'plan.txt', isPHI: true, isRestricted: false, caseId });
    expect(body.data.uploadedBy).toEqual({ id: expect.any(String), firstName: 'Tenant', lastName: '' });
    expect((await patient.fetch(id)).bytes.toString()).toBe('the plan');
  });

  it('attaches nothing that is absent, pending, or in another organization', async () => {
    const { caseId } = await clinic.openCase();
    // Declared and not sent: what is sent completes by itself, as soon as the reconciler sees it.
    const { id: pending } = await clinic.staff.presigned(
      declarationOf(Buffer.from(randomUUID()), 'text/plain'),
    );
    const foreign = await (await Clinic.open(world)).staff.deliver(Buffer.from(randomUUID()), 'text/plain');
    for (const file_id of [randomUUID(), pending, foreign]) {
      const answer = await clinic.staff.post(`${CASES}/${caseId}/attachments`, { file_id });
      expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    }
  });

  it('attaches no file that its token may not read', async () => {
    const { caseId } = await clinic.openCase();
    const file_id = await clinic.staff.deliver(Buffer.from(randomUUID()), 'text/plain');
    for (const scopes of ['cases:write cases:read', 'cases:write files:read', 'cases:write']) {
      const clerk = new Client(world.baseUrl, await tokenFor(world.baseUrl, clinic.tenant, scopes));
      const answer = await clerk.post(`${CASES}/${caseId}/attachments`, { file_id });
      expect([answer.status, answer.body.code]).toEqual([403, 'insufficient_scope']);
    }
  });

  it('restricts an attachment, and it leaves the patient’s view at once', async () => {
    const { patient, caseId } = await clinic.admit();
    const [own, staffs] = [
      await patient.deliver('own', { caseId }),
      await clinic.attach(caseId, Buffer.from('staff’s')),
    ];
    for (const id of [own, staffs]) {
      const { status, body } = await clinic.staff.call('PATCH', `/api/v1/admin/files/${id}`, {
        is_restricted: true,
      });
      expect([status, body.is_restricted]).toEqual([200, true]);
      for (const answer of [await patient.metadata(id), await patient.download(id)])
        expect(answer.status).toBe(404);
    }
    expect((await patient.list()).body.data.files).toEqual([]);
    const { items } = (await clinic.staff.get(`${CASES}/${caseId}/attachments`)).body;
    expect(items.map(({ id }: { id: string }) => id)).toEqual([staffs, own]);
    expect((await clinic.staff.get(`/api/v1/admin/files/${own}/download`)).body.download_url).toContain(
      'http',
    );
    await clinic.staff.call('PATCH', `/api/v1/admin/files/${own}`, { is_restricted: false, is_phi: true });
    expect((await patient.metadata(own)).body.data).toMatchObject({ isPHI: true, isRestricted: false });
    for (const bad of [{}, { is_phi: 'yes' }, { name: 'x' }])
      expect((await clinic.staff.call('PATCH', `/api/v1/admin/files/${own}`, bad)).status).toBe(400);
  });

  it('may do what its scopes and roles say', async () => {
    const { caseId } = await clinic.openCase();
    const readOnly = new Client(world.baseUrl, await tokenFor(world.baseUrl, clinic.tenant, 'cases:read'));
    expect((await readOnly.get(`${CASES}/${caseId}`)).status).toBe(200);
    expect((await readOnly.post(`${CASES}/${caseId}/close`)).status).toBe(403);
    const { organizationId } = clinic.tenant;
    const uploader = await world.organizations.createClient({
      organizationId,
      name: 'uploader',
      role: 'uploader',
      scopes: ['cases:read', 'cases:write', 'files:read'],
    });
    const device = new Client(world.baseUrl, await tokenFor(world.baseUrl, uploader));
    expect((await device.get(`${CASES}/${caseId}`)).status).toBe(403);
  });

  it('a patient is not', async () => {
    const { patient, caseId } = await clinic.admit();
    for (const path of [CASES, `${CASES}/${caseId}`, '/api/v1/admin/documents', '/api/v1/exams', '/orders'])
      expect((await patient.get(path)).status).toBe(403);
  });
});

describe('the ledger', () => {
  it('names case, file and patient by ids, and holds neither name nor address', async () => {
    const email = `${randomUUID()}@patients.example`;
    const { caseId, patientId } = await clinic.openCase({
      patient: { email, first_name: 'Zebedee' },
      title: 'Podagra',
    });
    const patient = await clinic.signIn(patientId);
    const id = await patient.deliver('secret words', { caseId, name: 'my-diagnosis.txt' });
    await patient.rename(id, 'other-diagnosis.txt');
    await patient.download(id);
    await patient.list();
    await patient.remove(id);
    const { rows } = await world.admin.query(
      `SELECT action, resource_type, resource_id, detail, to_jsonb(e) AS whole FROM audit_event e
       WHERE organization_id = $1 AND patient_ref = $2 ORDER BY occurred_at, id`,
      [clinic.tenant.organizationId, patientId],
    );
    expect(rows.map(({ action }) => action)).toEqual(
      expect.arrayContaining([
        'cases:create',
        'uploads:issue',
        'files:upload',
        'files:rename',
        'files:download',
        'files:list',
        'files:delete',
      ]),
    );
    const text = JSON.stringify(rows);
    for (const word of ['Zebedee', email, 'Podagra', 'diagnosis', 'secret']) expect(text).not.toContain(word);
  });
});
