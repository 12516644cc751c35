import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createOrganization } from '../../../src/commands/create-organization.command.js';
import { createPlatformOwner } from '../../../src/commands/create-platform-owner.command.js';
import { rights } from '../../../src/commands/rights.command.js';
import type { EffectiveRights } from '../../../src/modules/access/explain.schemas.js';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { ADMIN } from '../../support/admin.js';
import { Client, tokenFor } from '../../support/client.js';
import { commandHere } from '../../support/command.js';
import { ORGANIZATIONS } from '../../support/platform.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant('reader', ['exams:read', 'orders:read']);
});
afterAll(() => world.close());

const run = promisify(execFile);
/** What a command of the shipped program prints. */
const scandock = async (...args: string[]): Promise<string> => {
  const env = { PATH: process.env.PATH, DATABASE_URL: world.environment.DATABASE_URL };
  return (await run(process.execPath, ['dist/main.js', ...args], { env })).stdout;
};
/** What one prints that is run in this process: each is started as a process for one success and one failure. */
const here = (command: () => Promise<void>, ...args: string[]): Promise<string> =>
  commandHere(command, args, { DATABASE_URL: world.environment.DATABASE_URL! });

describe('scandock create-platform-owner', () => {
  it('tells the credentials of a client that manages organizations, once', async () => {
    const made = JSON.parse(await scandock('create-platform-owner', '--name', 'Ops')) as Tenant;
    expect(Object.keys(made)).toEqual(['clientId', 'clientSecret']);
    const ops = new Client(world.baseUrl, await tokenFor(world.baseUrl, made));
    const { status, body } = await ops.get(ORGANIZATIONS);
    expect(status).toBe(200);
    expect(body.items.map(({ id }: { id: string }) => id)).toContain(tenant.organizationId);
    const { rows } = await world.admin.query(
      `SELECT c.organization_id, c.name, r.name AS role, position($2 in c::text) AS told FROM oauth_client c
       JOIN role_binding b ON b.oauth_client_id = c.id JOIN role r ON r.id = b.role_id WHERE c.client_id = $1`,
      [made.clientId, made.clientSecret],
    );
    expect(rows).toEqual([
      { organization_id: PLATFORM_ORGANIZATION, name: 'Ops', role: 'platform-owner', told: 0 },
    ]);
  });

  it('says how it is used', async () => {
    const usage = 'usage: scandock create-platform-owner --name <name>';
    await expect(scandock('create-platform-owner')).rejects.toThrow(usage);
    for (const args of [
      ['--name', ' '],
      ['--role', 'owner'],
    ])
      await expect(here(createPlatformOwner, ...args)).rejects.toThrow(usage);
  });
});

describe('scandock create-organization', () => {
  it('makes a client that owns it, as it always did', async () => {
    const made = JSON.parse(await scandock('create-organization', 'North Clinic')) as Tenant;
    expect(Object.keys(made)).toEqual(['organizationId', 'clientId', 'clientSecret']);
    const owner = new Client(world.baseUrl, await tokenFor(world.baseUrl, made));
    expect((await owner.get(`${ORGANIZATIONS}/${made.organizationId}`)).body.name).toBe('North Clinic');
  });

  it('makes somebody of staff own it instead, without a secret', async () => {
    const made = JSON.parse(
      await here(createOrganization, 'South Clinic', '--owner', 'Nora@South.example'),
    ) as Tenant;
    expect(Object.keys(made)).toEqual(['organizationId']);
    const { rows } = await world.admin.query(
      `SELECT u.kind, u.email, r.name AS role,
              (SELECT count(*)::int FROM oauth_client c WHERE c.organization_id = u.organization_id) AS clients
       FROM "user" u JOIN role_binding b ON b.user_id = u.id JOIN role r ON r.id = b.role_id
       WHERE u.organization_id = $1`,
      [made.organizationId],
    );
    expect(rows).toEqual([{ kind: 'staff', email: 'nora@south.example', role: 'owner', clients: 0 }]);
  });

  it('says how it is used', async () => {
    const usage = 'usage: scandock create-organization <name> [--owner <email>]';
    await expect(scandock('create-organization')).rejects.toThrow(usage);
    for (const args of [
      ['A', '--owner', 'nobody'],
      ['A', '--tenant', 'x'],
    ])
      await expect(here(createOrganization, ...args)).rejects.toThrow(usage);
  });
});

describe('scandock rights', () => {
  const of = (...args: string[]) => here(rights, '--organization', tenant.organizationId, ...args);

  it('prints a client’s as a table, and as JSON', async () => {
    const table = await scandock(
      ...['rights', '--organization', tenant.organizationId, '--client', tenant.clientId],
    );
    expect(table).toMatch(
      /^client [0-9a-f-]{36}\nscopes: exams:read orders:read\n\nROLE +SUBJECT +OPERATIONS/,
    );
    expect(table).toMatch(/^reader +Exam +exams:list exams:read +itself$/m);
    const { kind, id, excluded, bindings } = JSON.parse(await of('--client', tenant.clientId, '--json')) as {
      kind: string;
      id: string;
      excluded: string | null;
      bindings: { role: { name: string }; rights: object[] }[];
    };
    expect([kind, id, excluded]).toEqual(['client', expect.stringMatching(/^[0-9a-f-]{36}$/), null]);
    expect(bindings.map(({ role }) => role.name)).toEqual(['reader']);
    expect(bindings[0]!.rights).toContainEqual({
      operations: ['exams:list', 'exams:read'],
      subject: 'Exam',
    });
  });

  it('tells what the API tells: every operation there is, though it has no routes', async () => {
    const { organizationId, clientId, clientSecret } = await world.newTenant();
    const printed = JSON.parse(
      await scandock('rights', '--organization', organizationId, '--client', clientId, '--json'),
    ) as EffectiveRights;
    const owner = new Client(world.baseUrl, await tokenFor(world.baseUrl, { clientId, clientSecret }));
    const { body } = await owner.get(`${ADMIN}/access/rights?kind=client&id=${printed.id}`);
    const bySubject = ({ bindings }: EffectiveRights) =>
      Object.fromEntries(bindings[0]!.rights.map(({ subject, operations }) => [subject, operations]));
    expect(bySubject(printed)).toEqual(bySubject(body as EffectiveRights));
    expect(Object.keys(bySubject(printed))).toEqual(
      expect.arrayContaining(['Exam', 'PatientCase', 'System']),
    );
  });

  it('prints those of an API key, a group, somebody of staff and a patient', async () => {
    const ids = await world.admin.query<{ key: string; patient: string; staff: string; group: string }>(
      `WITH staff AS (INSERT INTO "user" (id, organization_id, kind, email, created_at)
                      VALUES (gen_random_uuid(), $1, 'staff', 's@a.example', now()) RETURNING id),
            patient AS (INSERT INTO "user" (id, organization_id, kind, email, created_at)
                        VALUES (gen_random_uuid(), $1, 'patient', 'p@a.example', now()) RETURNING id),
            grp AS (INSERT INTO "group" (id, organization_id, name, created_at)
                    VALUES (gen_random_uuid(), $1, 'Readers', now()) RETURNING id)
       SELECT (SELECT id FROM api_key WHERE organization_id = $1) AS key, (SELECT id FROM patient) AS patient,
              (SELECT id FROM staff) AS staff, (SELECT id FROM grp) AS "group"`,
      [tenant.organizationId],
    );
    const { key, patient, staff, group } = ids.rows[0]!;
    await world.admin.query(
      `INSERT INTO group_member (id, organization_id, group_id, user_id, created_at) VALUES (gen_random_uuid(), $1, $2, $3, now())`,
      [tenant.organizationId, group, staff],
    );
    await world.admin.query(
      `INSERT INTO role_binding (id, organization_id, role_id, group_id, created_at)
       SELECT gen_random_uuid(), $1, r.id, $2, now() FROM role r WHERE r.organization_id = $1 AND r.name = 'auditor'`,
      [tenant.organizationId, group],
    );
    expect(await of('--api-key', key)).toMatch(/^reader +Exam/m);
    expect(await of('--group', group)).toMatch(/^auditor +Role /m);
    expect(await of('--user', staff)).toMatch(new RegExp(`^auditor +Role .* group ${group}$`, 'm'));
    expect(await of('--user', patient)).toMatch(/^patient +PatientFile .*\$\{principal\.id\}/m);
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [staff]);
    expect(await of('--user', staff)).toContain('it may do nothing');
  });

  it('says whom it does not find, and how it is used', async () => {
    await expect(scandock('rights')).rejects.toThrow('usage: scandock rights');
    await expect(of('--client', 'sdc_nobody')).rejects.toThrow('there is no client sdc_nobody');
    for (const args of [[], ['--user', 'a', '--group', 'b'], ['--role', 'owner']])
      await expect(of(...args)).rejects.toThrow('usage: scandock rights');
  });
});
