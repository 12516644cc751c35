import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { ctInstance } from '../../support/dicom-files.js';
import { tokenFor } from '../../support/client.js';
import { Hospital } from '../../support/hospital.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

let world: World;
let tenant: Tenant;
let owner: Hospital;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
  tenant = await world.newTenant();
  owner = new Hospital(world.baseUrl, tenant.apiKey);
}, 60_000);
afterAll(() => world.close());

/** A client whose only role has these rules. */
async function clientWith(rules: object[]): Promise<Hospital> {
  const { organizationId } = tenant;
  const credentials = await world.organizations.createClient({
    organizationId,
    name: 'custom',
    role: 'auditor',
    scopes: SCOPES,
  });
  const role = randomUUID();
  await world.admin.query(
    `INSERT INTO role (id, organization_id, name, built_in, rules, created_at) VALUES ($1, $2, $3, false, $4, now())`,
    [role, organizationId, role, JSON.stringify(rules)],
  );
  await world.admin.query(
    `UPDATE role_binding b SET role_id = $1 FROM oauth_client c WHERE c.client_id = $2 AND b.oauth_client_id = c.id`,
    [role, credentials.clientId],
  );
  return new Hospital(world.baseUrl, await tokenFor(world.baseUrl, credentials));
}

describe('a role that allows the route, and not the rows it answers with', () => {
  it('shows no result to who may list those of an order and read none', async () => {
    const order = await owner.newOrder();
    expect((await owner.post(`/results?order_id=${order}`, { finding: 'none' })).status).toBe(201);
    expect((await owner.get(`/results?order_id=${order}`)).body.items).toHaveLength(1);
    const lister = await clientWith([{ operations: ['results:list'], subject: 'Order' }]);
    expect((await lister.get(`/results?order_id=${order}`)).body).toEqual({ items: [] });
  });

  it('does not tell who may complete uploads which others brought the same bytes', async () => {
    const bytes = ctInstance();
    await owner.deliver(bytes);
    const device = await clientWith([
      { operations: ['uploads:issue', 'uploads:complete'], subject: 'Upload' },
    ]);
    const uploadId = await device.send(bytes);
    await device.post(`/uploads/${uploadId}/complete`);
    await owner.settled(uploadId);
    const { body } = await device.post(`/uploads/${uploadId}/complete`);
    expect(body.state).toBe('registered');
    expect(body.result.duplicate_of).toBeUndefined();
  });
});
