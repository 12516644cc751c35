import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { LRUCache } from 'lru-cache';
import { AccessChanges } from '../../../src/modules/access/access-changes.js';
import { AccessService } from '../../../src/modules/access/access.service.js';
import { AuthenticationGuard } from '../../../src/modules/auth/http/authentication.guard.js';
import type { HeldRole } from '../../../src/modules/access/rights.rows.js';
import type { Grantee } from '../../../src/platform/authorization/ability.js';
import type { Credential } from '../../../src/platform/authorization/principal.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { AccessRows, type Bearer } from '../../support/access-rows.js';
import { Client } from '../../support/client.js';
import { OwnProcess } from '../../support/processes.js';
import { createWorld, type World } from '../../support/world.js';

/** A change must be in force in every process this soon, in milliseconds. */
const LIMIT_MS = 1_000;
/** Asked every so many milliseconds, whether or not the answer before has come: use must not renew what is believed. */
const EVERY_MS = 20;
const ASKED = '/api/v1/exams';

const readExams = { operations: ['exams:list'], subject: 'Exam' };

let world: World;
/** The second process, as it is shipped, on the same database; it hears of nothing that the first one does. */
let other: OwnProcess;
let otherUrl: string;
let rows: AccessRows;
const measured: { change: string; ms: number }[] = [];

beforeAll(async () => {
  const generous = { RATE_LIMIT_PER_MINUTE: '1000000', CREDENTIAL_FAILURES_PER_MINUTE: '1000000' };
  world = await createWorld(generous);
  const port = String(await freePort(0));
  other = await OwnProcess.start('api', { ...world.environment, PORT: port });
  otherUrl = `http://127.0.0.1:${port}`;
  rows = await newOrganization();
}, 60_000);
afterAll(async () => {
  const longest = measured.toSorted((a, b) => b.ms - a.ms)[0];
  process.stdout.write(`${measured.map(({ change, ms }) => `${ms} ms: ${change}`).join('\n')}\n`);
  process.stdout.write(`longest of ${measured.length}: ${longest?.ms} ms, ${longest?.change}\n`);
  await other.stop();
  await world.close();
});

const newOrganization = async () =>
  new AccessRows(world, await world.organizations.createOrganization('Tenant'));
const sql = (statement: string, ...values: unknown[]) => world.admin.query(statement, values);
const statusAt = async (url: string, { token }: Bearer): Promise<number> =>
  (await new Client(url, token).get(ASKED)).status;

/**
 * Makes a change that the other process does not hear of, right after it answered `before`: from when on does it answer
 * `after`? What counts is when a request was sent; how long a busy machine takes to answer it is not the question.
 */
async function takesEffect(
  change: string,
  bearer: Bearer,
  [before, after]: [before: number, after: number],
  make: () => Promise<unknown>,
): Promise<void> {
  expect(await statusAt(otherUrl, bearer)).toBe(before);
  await make();
  const changed = performance.now();
  const asked: Promise<{ sent: number; status: number }>[] = [];
  let seen = false;
  while (!seen && performance.now() - changed < 3 * LIMIT_MS) {
    const sent = performance.now() - changed;
    asked.push(
      statusAt(otherUrl, bearer).then((status) => {
        seen ||= status !== before;
        return { sent, status };
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  const answers = await Promise.all(asked);
  expect(new Set(answers.map(({ status }) => status).filter((status) => status !== before))).toEqual(
    new Set([after]),
  );
  const last = Math.max(0, ...answers.filter(({ status }) => status === before).map(({ sent }) => sent));
  const first = Math.min(...answers.filter(({ status }) => status === after).map(({ sent }) => sent));
  measured.push({ change, ms: Math.round(Math.max(first, last)) });
  expect(first).toBeLessThan(LIMIT_MS);
  expect(last).toBeLessThan(LIMIT_MS);
  expect(await statusAt(otherUrl, bearer)).toBe(after);
}

/** Somebody who may list exams, by a role of their own. */
async function readerOf(
  of: AccessRows,
  kind: Bearer['kind'],
): Promise<Bearer & { roleId: string; bindingId: string }> {
  const [bearer, roleId] = [await of.bearer(kind), await of.role(readExams)];
  return { ...bearer, roleId, bindingId: await of.bind(roleId, bearer) };
}

describe('what is taken is gone at the other process within a second:', () => {
  const GONE: [number, number] = [200, 403];
  const OUT: [number, number] = [200, 401];

  it('a role’s rule', async () => {
    const reader = await readerOf(rows, 'client');
    await takesEffect('a role loses its rules', reader, GONE, () =>
      sql(`UPDATE role SET rules = '[]' WHERE id = $1`, reader.roleId),
    );
  });

  it('a binding; at the process that removes it at once', async () => {
    const reader = await readerOf(rows, 'api_key');
    expect(await statusAt(world.baseUrl, reader)).toBe(200);
    await takesEffect('a binding is removed', reader, GONE, async () => {
      await world.api.app
        .get(AccessChanges, { strict: false })
        .change(rows.organizationId, (tx) => tx.roleBinding.deleteMany({ where: { id: reader.bindingId } }));
      expect(await statusAt(world.baseUrl, reader)).toBe(403);
    });
  });

  it('a membership between groups, of whose outermost the binding is', async () => {
    const user = await rows.bearer('user');
    const [inner, middle, outer] = [await rows.group(), await rows.group(), await rows.group()];
    await rows.member(inner, user);
    await rows.member(middle, { kind: 'group', id: inner });
    const nested = await rows.member(outer, { kind: 'group', id: middle });
    await rows.bind(await rows.role(readExams), { kind: 'group', id: outer });
    await takesEffect('a nested group leaves a group', user, GONE, () =>
      sql('DELETE FROM group_member WHERE id = $1', nested),
    );
  });

  it('a scope', async () => {
    const reader = await readerOf(rows, 'client');
    await takesEffect('a client loses a scope, its token included', reader, GONE, () =>
      sql(`UPDATE oauth_client SET scopes = '{orders:read}' WHERE id = $1`, reader.id),
    );
  });

  it.each([
    ['a client is disabled', 'client', 'UPDATE oauth_client SET disabled_at = now() WHERE id = $1'],
    ['a user is disabled', 'user', 'UPDATE "user" SET disabled_at = now() WHERE id = $1'],
    ['an API key is revoked', 'api_key', 'UPDATE api_key SET revoked_at = now() WHERE id = $1'],
    ['a session is ended', 'user', 'UPDATE user_session SET revoked_at = now() WHERE user_id = $1'],
  ] as const)('%s', async (change, kind, statement) => {
    const reader = await readerOf(rows, kind);
    await takesEffect(change, reader, OUT, () => sql(statement, reader.id));
  });

  it.each([
    ['a client', 'client'],
    ['an API key', 'api_key'],
    ['a user', 'user'],
  ] as const)('the organization of %s', async (who, kind) => {
    const closing = await newOrganization();
    const reader = await readerOf(closing, kind);
    await takesEffect(`the organization of ${who} is disabled`, reader, OUT, () =>
      sql('UPDATE organization SET disabled_at = now() WHERE id = $1', closing.organizationId),
    );
  });

  it('a token alone, not its client', async () => {
    const reader = await readerOf(rows, 'client');
    const { jti, exp } = decodeJwt(reader.token);
    await takesEffect('a token is revoked', reader, OUT, () =>
      sql(
        'INSERT INTO revoked_token (organization_id, jti, revoked_at, expires_at) VALUES ($1, $2, now(), to_timestamp($3))',
        rows.organizationId,
        jti,
        exp,
      ),
    );
    const { rows: clients } = await sql('SELECT disabled_at FROM oauth_client WHERE id = $1', reader.id);
    expect(clients).toEqual([{ disabled_at: null }]);
  });
});

describe('what is given is there at the other process within a second:', () => {
  const GIVEN: [number, number] = [403, 200];

  it('a binding', async () => {
    const bearer = await rows.bearer('client');
    const roleId = await rows.role(readExams);
    await takesEffect('a role is bound', bearer, GIVEN, () => rows.bind(roleId, bearer));
  });

  it('a rule', async () => {
    const bearer = await rows.bearer('api_key');
    const roleId = await rows.role();
    await rows.bind(roleId, bearer);
    await takesEffect('a role gets a rule', bearer, GIVEN, () =>
      sql('UPDATE role SET rules = $2 WHERE id = $1', roleId, JSON.stringify([readExams])),
    );
  });

  it('a membership', async () => {
    const user = await rows.bearer('user');
    const [inner, outer] = [await rows.group(), await rows.group()];
    await rows.member(outer, { kind: 'group', id: inner });
    await rows.bind(await rows.role(readExams), { kind: 'group', id: outer });
    await takesEffect('a user joins a nested group', user, GIVEN, () => rows.member(inner, user));
  });

  it('coming in again', async () => {
    const reader = await readerOf(rows, 'client');
    await sql('UPDATE oauth_client SET disabled_at = now() WHERE id = $1', reader.id);
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS));
    await takesEffect('a client is enabled again', reader, [401, 200], () =>
      sql('UPDATE oauth_client SET disabled_at = NULL WHERE id = $1', reader.id),
    );
  });
});

describe('what a process remembers of callers', () => {
  /** What nobody else may see, and what this is about. */
  interface Held {
    remembered: LRUCache<string, object>;
    compiled: LRUCache<string, object>;
    compile(roles: Pick<HeldRole, 'rules'>[], grantee: Grantee): unknown;
  }
  const access = () => world.api.app.get(AccessService, { strict: false });
  const held = () => access() as unknown as Held;

  it('is bounded, however many ask at once; refusals are not remembered', async () => {
    const { remembered } = held();
    remembered.clear();
    const asking = Array.from({ length: remembered.max * 2 }, () =>
      access().grantsOf({
        kind: 'client',
        principalId: randomUUID(),
        organizationId: 'none', // refused before the database is asked
        tokenId: randomUUID(),
        scopes: [],
      }),
    );
    expect({ max: remembered.max, size: remembered.size }).toEqual({ max: 10_000, size: 10_000 });
    const outcomes = await Promise.allSettled(asking);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    expect(remembered.size).toBe(0);
  });

  it('of abilities is bounded too, the least used ones go', () => {
    const { compiled } = held();
    const roles = [{ rules: JSON.stringify([readExams]), resource_type: null, resource_id: null }];
    const grantees = Array.from({ length: compiled.max + 500 }, () => ({
      id: randomUUID(),
      organizationId: rows.organizationId,
    }));
    const first = held().compile(roles, grantees[0]!);
    for (const grantee of grantees) {
      held().compile(roles, grantee);
      expect(held().compile(roles, grantees[0]!)).toBe(first); // in use, and kept
    }
    expect({ max: compiled.max, size: compiled.size }).toEqual({ max: 2_000, size: 2_000 });
  });

  it('of tokens and keys is bounded', () => {
    const guard = world.api.app.get(AuthenticationGuard, { strict: false });
    const { trusted } = guard as unknown as { trusted: LRUCache<string, Credential> };
    expect({ max: trusted.max, ttl: trusted.ttl }).toEqual({ max: 20_000, ttl: 500 });
  });
});
