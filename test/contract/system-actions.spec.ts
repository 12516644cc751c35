import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RightsService } from '../../src/modules/access/rights.service.js';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { SuppressedFailures } from '../../src/modules/audit/http/suppressed-failures.js';
import { KeyRotationService } from '../../src/modules/auth/key-rotation.service.js';
import { allOperations } from '../../src/platform/authorization/operations.js';
import { PLATFORM_ORGANIZATION } from '../../src/platform/authorization/platform-organization.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { declaredEvents } from './declared-events.js';
import { DOERS, NEVER_AUDITED, SEEN_ELSEWHERE, SYSTEM_ACTIONS } from './system-actions.js';

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant();
});
afterAll(() => world.close());

const declared = declaredEvents();
const operations = () => new Map(allOperations().map((operation) => [operation.name, operation]));
const sorted = (names: Iterable<string>): string[] => [...names].sort();

describe('every action that an event is written of', () => {
  it('is found in the source', () => {
    expect(declared.named.size).toBeGreaterThan(60);
    expect(declared.detailed.size).toBeGreaterThan(60);
  });

  it('is an operation, or the system’s own, which are these', () => {
    const known = operations();
    const others = [...declared.named, ...declared.detailed].filter((action) => !known.has(action));
    const all = { ...SYSTEM_ACTIONS, ...SEEN_ELSEWHERE };
    const listed = Object.keys(all).filter((action) => !known.has(action));
    expect(sorted(new Set(others))).toEqual(sorted(listed));
  });

  it('is listed as the system’s where the system is the actor', () => {
    const all = { ...SYSTEM_ACTIONS, ...SEEN_ELSEWHERE };
    expect([...declared.ofSystem].filter((action) => !(action in all))).toEqual([]);
  });

  it.each(Object.entries(SEEN_ELSEWHERE))('or seen elsewhere: %s in %s', (action, spec) => {
    expect(readFileSync(new URL(`../${spec}`, import.meta.url), 'utf8')).toContain(action);
  });

  it('of a class that acts by itself is listed with it', () => {
    expect(sorted(declared.doers)).toEqual(sorted(Object.keys(DOERS)));
    for (const actions of Object.values(DOERS).filter(Array.isArray))
      for (const action of actions) expect([action, SYSTEM_ACTIONS[action]]).toEqual([action, 'worker']);
  });
});

describe('every operation', () => {
  it('has a route, or says that it needs none', () => {
    const routed = new Set(world.api.routes.map(({ operation }) => operation.name));
    const without = allOperations().filter(({ name }) => !routed.has(name));
    expect(sorted(without.map(({ name }) => name))).toEqual(
      sorted(Object.keys(NEVER_AUDITED).filter((name) => NEVER_AUDITED[name]!.startsWith('no route'))),
    );
  });

  it('writes an event, but for these, whose reasons are given', () => {
    const never = allOperations().filter(({ audited }) => audited === 'never');
    expect(sorted(never.map(({ name }) => name))).toEqual(sorted(Object.keys(NEVER_AUDITED)));
  });
});

/** How the operator and the API do what they do by themselves, and whose ledgers tell of it. */
const DONE: Record<string, { by: () => Promise<unknown>; ledgers: () => string[] }> = {
  'access:rights': {
    by: async () => {
      const rights = world.api.app.get(RightsService, { strict: false });
      const id = await rights.clientNamed(tenant.organizationId, tenant.clientId);
      return rights.forOperator(tenant.organizationId, { kind: 'client', id });
    },
    ledgers: () => [tenant.organizationId],
  },
  'api-keys:create': {
    by: () =>
      world.organizations.createApiKey({
        organizationId: tenant.organizationId,
        name: 'k',
        role: 'reader',
        scopes: [],
      }),
    ledgers: () => [tenant.organizationId],
  },
  'auth:suppressed-failures': {
    by: async () => {
      const suppressed = new SuppressedFailures(world.api.app.get(AuditService), 0);
      const [organizationId, actor] = [PLATFORM_ORGANIZATION, { kind: 'anonymous' } as const];
      suppressed.takes({ organizationId, actor, action: 'exams:read', outcome: 'denied' }, 401);
      await suppressed.close();
    },
    ledgers: () => [PLATFORM_ORGANIZATION],
  },
  'clients:create': {
    by: () =>
      world.organizations.createClient({
        organizationId: tenant.organizationId,
        name: 'c',
        role: 'reader',
        scopes: [],
      }),
    ledgers: () => [tenant.organizationId],
  },
  'organizations:create': {
    by: async () => (made = await world.organizations.createOrganization(`Clinic ${randomUUID()}`)),
    ledgers: () => [made, PLATFORM_ORGANIZATION],
  },
  'organizations:require-metadata': {
    by: () => world.organizations.requireMetadata(tenant.organizationId, ['PatientID']),
    ledgers: () => [tenant.organizationId],
  },
  'roles:refresh': {
    by: async () => {
      await world.admin.query('GRANT EXECUTE ON FUNCTION organization_ids() TO scandock_app');
      await world.admin.query(`UPDATE role SET rules = '[]' WHERE organization_id = $1 AND name = 'reader'`, [
        tenant.organizationId,
      ]);
      await world.organizations.refreshBuiltInRoles();
      await world.organizations.refreshBuiltInRoles(); // has nothing to change, and tells of nothing
      await world.admin.query('REVOKE EXECUTE ON FUNCTION organization_ids() FROM scandock_app');
    },
    ledgers: () => [tenant.organizationId],
  },
  'signing-keys:rotate': {
    by: () => {
      const { app } = world.api;
      const [database, audit, clock] = [app.get(DatabaseService), app.get(AuditService), app.get(Clock)];
      return new KeyRotationService(world.config, database, audit, clock).rotate({ atOnce: false });
    },
    ledgers: () => [PLATFORM_ORGANIZATION],
  },
};
let made: string;

describe('what the operator and the API do by themselves', () => {
  it('is done below', () => {
    const theirs = Object.keys(SYSTEM_ACTIONS).filter((action) => SYSTEM_ACTIONS[action] !== 'worker');
    expect(sorted(Object.keys(DONE))).toEqual(sorted(theirs));
  });

  it.each(Object.keys(DONE))('%s writes its event', async (action) => {
    const eventsOf = async () =>
      (
        await world.admin.query<{ organization_id: string }>(
          `SELECT organization_id FROM audit_event WHERE action = $1 AND actor_id IS NOT DISTINCT FROM $2`,
          [action, SYSTEM_ACTIONS[action] === 'operator' ? 'operator' : null],
        )
      ).rows.map((row) => row.organization_id);
    const before = await eventsOf();
    await DONE[action]!.by();
    const after = await eventsOf();
    for (const id of before) after.splice(after.indexOf(id), 1);
    expect(sorted(after)).toEqual(sorted(DONE[action]!.ledgers()));
  });
});
