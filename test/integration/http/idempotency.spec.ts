import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Answer, Client, put, tokenFor } from '../../support/client.js';
import { type CreatedExam, examBody } from '../../support/exam.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const HOUR = 3_600_000;

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

const create = (key: string, body: object = examBody({ 'a.dcm': 5, 'b.dcm': 6 }), by = client) =>
  by.post<CreatedExam>('/api/v1/exams', body, { 'idempotency-key': key });

async function exams(organizationId = tenant.organizationId): Promise<number> {
  const { rows } = await world.admin.query<{ count: number }>(
    'SELECT count(*)::int FROM exam WHERE organization_id = $1',
    [organizationId],
  );
  return rows[0]!.count;
}
const error = ({ body }: Answer): string => (body as { error: { code: string } }).error.code;

describe('a key used again', () => {
  it('gives the exam that was made, with fresh URLs that work, and makes nothing', async () => {
    const before = await exams();
    const key = randomUUID();
    const first = await create(key);
    const again = await create(key);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body.exam_id).toBe(first.body.exam_id);
    expect(again.body.upload_urls.map(({ name }) => name)).toEqual(['a.dcm', 'b.dcm']);
    for (const [index, { url }] of again.body.upload_urls.entries()) {
      expect(url).not.toBe(first.body.upload_urls[index]!.url);
      expect(await put(url, Buffer.alloc(5 + index))).toBe(200);
    }
    expect(await exams()).toBe(before + 1);
  });

  it('gives URLs only for what is still open', async () => {
    const key = randomUUID();
    const { body } = await create(key);
    expect(await put(body.upload_urls[0]!.url, Buffer.alloc(5))).toBe(200);
    await client.post(`/api/v1/exams/${body.exam_id}/confirm`); // notices what has landed; 409 for the other
    const again = await create(key);
    expect(again.body).toMatchObject({ exam_id: body.exam_id, status: 'uploading' });
    expect(again.body.upload_urls.map(({ name }) => name)).toEqual(['b.dcm']);
  });

  it('is told apart in the ledger', async () => {
    const key = randomUUID();
    const { body } = await create(key);
    await create(key);
    const { rows } = await world.admin.query(
      `SELECT detail->>'replayed' AS replayed, detail->>'files' AS files FROM audit_event
       WHERE action = 'exams:create' AND resource_id = $1 ORDER BY id`,
      [body.exam_id],
    );
    expect(rows).toEqual([
      { replayed: 'false', files: '2' },
      { replayed: 'true', files: '2' },
    ]);
  });

  it('with another body is 422, whatever differs', async () => {
    const key = randomUUID();
    const body = examBody({ 'a.dcm': 5 });
    expect((await create(key, body)).status).toBe(201);
    const before = await exams();
    for (const other of [
      { ...body, name: 'Another' },
      { ...body, reason: 'added' },
      examBody({ 'a.dcm': 6 }),
      examBody({ 'a.dcm': 5, 'b.dcm': 5 }),
    ]) {
      const answer = await create(key, other);
      expect({ status: answer.status, code: error(answer) }).toEqual({
        status: 422,
        code: 'idempotency_mismatch',
      });
    }
    expect(await exams()).toBe(before);
    expect((await create(key, body)).status).toBe(201);
  });

  it('with the same body in another order is the same', async () => {
    const key = randomUUID();
    const body = examBody({ 'a.dcm': 5 });
    const first = await create(key, body);
    const turned = Object.fromEntries(Object.entries(body).reverse());
    const again = await create(key, turned);
    expect({ status: again.status, id: again.body.exam_id }).toEqual({ status: 201, id: first.body.exam_id });
  });

  it('for an exam that was deleted makes no other', async () => {
    const key = randomUUID();
    const { body } = await create(key);
    await client.delete(`/api/v1/exams/${body.exam_id}`);
    const before = await exams();
    expect((await create(key)).status).toBe(404);
    expect(await exams()).toBe(before);
  });

  it('after a request that was refused is still free', async () => {
    const key = randomUUID();
    expect((await create(key, { ...examBody({ 'a.dcm': 5 }), name: '' })).status).toBe(400);
    expect((await create(key, examBody({ 'a.dcm': 6 * 1024 ** 3 }))).status).toBe(413);
    expect((await create(key)).status).toBe(201);
  });
});

describe('a key used at once', () => {
  it.each([2, 12])('by %i requests makes one exam', async (parallel) => {
    const before = await exams();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: parallel }, () => create(key)));
    const made = answers.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ body }) => body.exam_id)).size).toBe(1);
    for (const answer of answers.filter(({ status }) => status !== 201))
      expect({ status: answer.status, code: error(answer) }).toEqual({
        status: 409,
        code: 'idempotency_conflict',
      });
    expect(await exams()).toBe(before + 1);
  });

  it('with different bodies makes one exam, of one of them', async () => {
    const before = await exams();
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => create(key, examBody({ 'a.dcm': index + 1 }))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status } of answers) expect([201, 409, 422]).toContain(status);
    expect(await exams()).toBe(before + 1);
  });
});

describe('a key belongs to its principal', () => {
  it('and says nothing to another principal of the organization, or to another organization', async () => {
    const key = randomUUID();
    const neighbour = await world.newTenant();
    const sameOrganization = new Client(world.baseUrl, await tokenFor(world.baseUrl, tenant));
    const otherOrganization = new Client(world.baseUrl, neighbour.apiKey);
    const ids = [
      (await create(key)).body.exam_id,
      (await create(key, undefined, sameOrganization)).body.exam_id,
      (await create(key, undefined, otherOrganization)).body.exam_id,
    ];
    expect(new Set(ids).size).toBe(3);
    // Another body, too: a mismatch would tell that the key is in use.
    const key2 = randomUUID();
    await create(key2);
    expect((await create(key2, examBody({ 'z.dcm': 1 }), sameOrganization)).status).toBe(201);
    expect((await create(key2, examBody({ 'z.dcm': 1 }), otherOrganization)).status).toBe(201);
    expect(await exams(neighbour.organizationId)).toBe(2);
  });

  it('is kept as a hash, with ids and no URL', async () => {
    const key = `key-${randomUUID()}`;
    await create(key);
    const { rows } = await world.admin.query<{ row: string }>('SELECT k::text AS row FROM idempotency_key k');
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toMatch(/key-|http|X-Amz|dcm/);
  });

  it.each(['!', '~', 'a'.repeat(255)])('may be %s', async (key) => {
    expect((await create(key)).status).toBe(201);
  });
});

describe('a key without a header', () => {
  it('makes an exam each time', async () => {
    const before = await exams();
    for (let time = 0; time < 2; time++) await client.post('/api/v1/exams', examBody({ 'a.dcm': 5 }));
    expect(await exams()).toBe(before + 2);
  });
});

describe('after a day', () => {
  it('the key is forgotten, and not before', async () => {
    const key = randomUUID();
    const first = await create(key);
    world.travel(24 * HOUR - 60_000);
    expect((await create(key)).body.exam_id).toBe(first.body.exam_id);
    world.travel(2 * 60_000);
    const another = await create(key, examBody({ 'other.dcm': 9 }));
    expect(another.status).toBe(201);
    expect(another.body.exam_id).not.toBe(first.body.exam_id);
    expect((await create(key, examBody({ 'other.dcm': 9 }))).body.exam_id).toBe(another.body.exam_id);
  });
});
