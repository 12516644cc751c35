import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccessRows } from '../../support/access-rows.js';
import { createExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { createWorld, type World } from '../../support/world.js';

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Ids by the order in which they appear, so that what is alike reads alike. */
function numbered(values: unknown[]): unknown[] {
  const ids: string[] = [];
  const text = JSON.stringify(values).replace(UUID, (id) => {
    if (!ids.includes(id)) ids.push(id);
    return `id ${ids.indexOf(id)}`;
  });
  return JSON.parse(text) as unknown[];
}

describe('the example of docs/access.md', () => {
  it('is what the API answers', async () => {
    const { organizationId, apiKey } = await world.newTenant();
    const rows = new AccessRows(world, organizationId);
    const owner = new Hospital(world.baseUrl, apiKey);
    const { exam_id: examId } = await createExam(owner, { 'a.dcm': 1 });
    const grace = await rows.bearer('user');
    const [room, radiology] = [await rows.group(), await rows.group()];
    await rows.member(room, grace);
    await rows.member(radiology, { kind: 'group', id: room });
    const roleNamed = async (name: string, rule: object): Promise<string> => {
      const id = await rows.role(rule);
      await world.admin.query('UPDATE role SET name = $2 WHERE id = $1', [id, name]);
      return id;
    };
    const own = await roleNamed('Own exams', {
      operations: ['exams:list', 'exams:read'],
      subject: 'Exam',
      conditions: { createdById: '${principal.id}' },
    });
    await rows.bind(own, { kind: 'group', id: radiology });

    const asked = {
      principal: { kind: 'user', id: grace.id },
      operation: 'exams:read',
      resource: { type: 'Exam', id: examId },
      scopes: ['exams:read'],
    };
    const explain = async () => (await owner.post('/api/v1/admin/access/explain', asked)).body as unknown;
    const refused = await explain();
    expect((await new Hospital(world.baseUrl, grace.token).get(`/api/v1/exams/${examId}`)).status).toBe(404);

    const second = await roleNamed('Second reader', { operations: ['exams:read'], subject: 'Exam' });
    await rows.bind(second, grace, { type: 'Exam', id: examId });
    const allowed = await explain();
    rows.forget();
    expect((await new Hospital(world.baseUrl, grace.token).get(`/api/v1/exams/${examId}`)).status).toBe(200);

    const page = await readFile('docs/access.md', 'utf8');
    const blocks = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json!) as unknown);
    expect(numbered(blocks)).toEqual(numbered([asked, refused, allowed]));
  });
});
