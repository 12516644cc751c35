import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BUILT_IN_ROLES } from '../../src/modules/access/built-in-roles.js';
import {
  type Mark,
  type Permission,
  permissionsOf,
  permissionsPage,
} from '../../src/modules/access/permission-matrix.js';
import { forbidden, scopeNeeded } from '../../src/modules/access/access.errors.js';
import { newUid } from '../../src/demo/phantom.js';
import { PATIENT_SCOPES, SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { PLATFORM_ORGANIZATION } from '../../src/platform/authorization/platform-organization.js';
import { newId } from '../../src/platform/database/id.js';
import type { Route } from '../../src/platform/http/route-table.js';
import { AccessRows, type Bearer } from '../support/access-rows.js';
import { type Answer, Client } from '../support/client.js';
import { Clinic } from '../support/clinic.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

jest.setTimeout(120_000);

const ROLES = Object.keys(BUILT_IN_ROLES);

let world: World;
let tenant: Tenant;
let rows: AccessRows;
let clinic: Clinic;
let matrix: Map<string, Permission>;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '1000000' });
  tenant = await world.newTenant();
  rows = new AccessRows(world, tenant.organizationId);
  clinic = await Clinic.open(world, tenant);
  matrix = new Map(permissionsOf(world.api.routes).map((each) => [each.operation.name, each]));
});
afterAll(() => world.close());

const closed = (): Route[] => world.api.routes.filter((route) => !route.public);
const ofStaff = (): Route[] => closed().filter(({ portal }) => !portal);
const ofPortals = (): Route[] => closed().filter(({ portal }) => portal);
const markOf = (route: Route, role: string): Mark => matrix.get(route.operation.name)!.marks[role]!;

/** A call of the route that is about nothing there is, and with an empty body where one is taken. */
const call = (token: string, { method, path }: Route): Promise<Answer> =>
  new Client(world.baseUrl, token).call(
    method,
    path.replaceAll(/:uid/g, newUid()).replaceAll(/:\w+/g, newId()),
    method === 'GET' || method === 'DELETE' ? undefined : {},
    { 'cv-api-key': clinic.portalKey },
  );

type Outcome = 'let in' | 'forbidden' | 'insufficient_scope' | 'unauthorized';

/** What became of a call, told by the words that every surface passes on in its own format. */
async function outcomeOf(token: string, route: Route): Promise<Outcome> {
  const { status, text } = await call(token, route);
  const { operation } = route;
  if (status === 401) return 'unauthorized';
  if (status === 403 && text.includes(forbidden(operation).message)) return 'forbidden';
  if (status === 403 && operation.scope && text.includes(scopeNeeded(operation.scope).message))
    return 'insufficient_scope';
  if (status >= 500) throw new Error(`${route.method} ${route.path}: ${status} ${text}`);
  return 'let in';
}

/** By route, what became of it and what should have. */
async function compare(token: string, routes: Route[], expected: (route: Route) => Outcome): Promise<void> {
  const found: Record<string, Outcome> = {};
  for (const route of routes) found[`${route.method} ${route.path}`] = await outcomeOf(token, route);
  expect(found).toEqual(
    Object.fromEntries(routes.map((route) => [`${route.method} ${route.path}`, expected(route)])),
  );
}

async function bearerOf(role: string, kind: Bearer['kind'], scopes?: readonly Scope[]): Promise<Bearer> {
  const bearer = await rows.bearer(kind, scopes);
  await rows.bind(await rows.builtIn(role), bearer);
  return bearer;
}

const asMarked =
  (role: string) =>
  (route: Route): Outcome =>
    ['yes', 'own'].includes(markOf(route, role)) ? 'let in' : 'forbidden';

describe('docs/permissions.md', () => {
  it('is what the code says: npm run permissions', () => {
    const committed = readFileSync(new URL('../../docs/permissions.md', import.meta.url), 'utf8');
    expect(committed).toBe(permissionsPage(world.api.routes));
  });

  it('has every operation that a route asks a right for, and every built-in role of an organization', async () => {
    for (const { operation } of closed()) expect([...matrix.keys()]).toContain(operation.name);
    const { rows: found } = await world.admin.query<{ name: string }>(
      'SELECT name FROM role WHERE organization_id = $1 AND built_in ORDER BY name',
      [tenant.organizationId],
    );
    expect(found.map(({ name }) => name)).toEqual(ROLES.toSorted());
  });

  it('has no operation that is open on one route and closed on another', () => {
    const open = new Set(
      world.api.routes.filter((route) => route.public).map(({ operation }) => operation.name),
    );
    expect(closed().filter(({ operation }) => open.has(operation.name))).toEqual([]);
  });

  it('allows each operation to an owner, and nothing to a role by accident', () => {
    for (const { operation, routes, marks } of matrix.values()) {
      const isOfPatients = routes.some((route) => route.includes('/users/me/'));
      expect({ operation: operation.name, owner: marks.owner }).toEqual({
        operation: operation.name,
        owner: operation.platform ? 'platform' : isOfPatients ? '' : 'yes',
      });
      if (operation.scope === 'access:manage')
        for (const role of ROLES.filter((each) => !['owner', 'admin', 'auditor'].includes(each)))
          expect({ operation: operation.name, role, mark: marks[role] }).toEqual({
            operation: operation.name,
            role,
            mark: '',
          });
      // Who audits looks, and changes nothing but how they sign in themselves and what they take home.
      if (
        operation.audited === 'transaction' &&
        !['sign-in:link-identity', 'audit:create-export'].includes(operation.name)
      )
        expect([operation.name, marks.auditor]).toEqual([operation.name, '']);
    }
  });
});

describe('every route of staff and of machines', () => {
  it.each(ROLES)('lets a client that is %s do what the table says, and nothing else', async (role) => {
    const { token } = await bearerOf(role, 'client');
    await compare(token, ofStaff(), asMarked(role));
  });

  it.each(ROLES.filter((role) => role !== 'patient'))(
    'lets somebody of staff who is %s do the same',
    async (role) => {
      const { token } = await bearerOf(role, 'user');
      await compare(token, ofStaff(), asMarked(role));
    },
  );

  it('lets an API key do the same', async () => {
    const { token } = await bearerOf('coordinator', 'api_key');
    await compare(token, ofStaff(), asMarked('coordinator'));
  });

  it('lets who has no role do nothing', async () => {
    const { token } = await rows.bearer('client');
    await compare(token, ofStaff(), () => 'forbidden');
  });

  it('of the platform lets its owner in, and the owner of no other organization', async () => {
    await world.admin.query(
      `INSERT INTO organization (id, name, created_at) VALUES ($1, 'Platform', now()) ON CONFLICT DO NOTHING`,
      [PLATFORM_ORGANIZATION],
    );
    const there = new AccessRows(world, PLATFORM_ORGANIZATION);
    const id = await there.staff();
    await there.bind(await there.role(...BUILT_IN_ROLES.owner!), { kind: 'user', id });
    const routes = ofStaff().filter((route) => markOf(route, 'owner') === 'platform');
    await compare(await there.signIn(id), routes, () => 'let in');
  });
});

describe('every route of a portal', () => {
  it('lets a patient do what the table says', async () => {
    const { patientId } = await clinic.openCase();
    const patient = await clinic.signIn(patientId);
    const token = patient.credentials.authorization!.replace('Bearer ', '');
    expect(ofPortals().length).toBeGreaterThan(5);
    await compare(token, ofPortals(), asMarked('patient'));
    await compare(token, ofStaff(), (route) => {
      const { scope } = route.operation;
      return scope && !PATIENT_SCOPES.includes(scope) ? 'insufficient_scope' : asMarked('patient')(route);
    });
  });

  it.each(['client', 'api_key', 'user'] as const)('lets no %s in, not even an owner', async (kind) => {
    const { token } = await bearerOf('owner', kind);
    await compare(token, ofPortals(), () => 'unauthorized');
  });
});

describe('every scope', () => {
  it.each(SCOPES)('%s: without it nobody passes, with all others', async (scope) => {
    const { token } = await bearerOf(
      'owner',
      'user',
      SCOPES.filter((other) => other !== scope),
    );
    await compare(
      token,
      ofStaff().filter((route) => route.operation.scope === scope),
      () => 'insufficient_scope',
    );
  });

  it.each(SCOPES)('%s: alone is enough where it is asked for', async (scope) => {
    const { token } = await bearerOf('owner', 'client', [scope]);
    await compare(
      token,
      ofStaff().filter((route) => route.operation.scope === scope),
      asMarked('owner'),
    );
  });

  it.each(PATIENT_SCOPES)('%s: without it no patient passes', async (scope) => {
    const { patientId } = await clinic.openCase();
    const token = await rows.signIn(
      patientId,
      PATIENT_SCOPES.filter((other) => other !== scope),
    );
    await compare(token, ofPortals(), (route) =>
      route.operation.scope === scope ? 'insufficient_scope' : asMarked('patient')(route),
    );
  });
});
