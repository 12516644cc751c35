import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Pool } from 'pg';
import { parseConfig } from '../../src/platform/config/config.schema.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { type Stack, startStack } from '../support/stack.js';
import {
  foreignKeysOf,
  keysWithoutOrganization,
  otherPolicies,
  tablesOf,
  tablesOfUnclearTenant,
  tablesWithoutRowSecurity,
  tablesWithoutTheirPolicy,
} from './tenancy-checks.js';

/** Who may see across tenants, in which tables: the credential resolvers and the reconciler, reading. */
const RESOLVED = [
  'api_key',
  'audit_unsealed',
  'client_key',
  'idempotency_key',
  'oauth_client',
  'object_copy',
  'organization',
  'organization_deletion',
  'otp_budget',
  'otp_challenge',
  'outbox_event',
  'patient_file',
  'refresh_token',
  'revoked_token',
  'share_link',
  'spent_token',
  'stored_object',
  'submission',
  'upload',
  'user_session',
];

/** Where they may see some columns only, and which: nothing of a person. */
const RESOLVED_COLUMNS: Record<string, string[]> = {
  audit_event: ['occurred_at', 'organization_id'],
  audit_event_default: ['occurred_at', 'organization_id'],
  audit_export: ['finished_at', 'id', 'organization_id', 'progressed_at'],
  audit_forwarding: ['organization_id', 'position'],
  audit_hold: ['from_time', 'organization_id', 'released_at', 'to_time'],
  audit_retired: [
    'events',
    'export_id',
    'export_key',
    'manifest_key',
    'manifest_sha256',
    'month',
    'organization_id',
  ],
  // What is signed of a tree, and its signature: no event's id, and no leaf.
  audit_tree: [
    'entry',
    'first_position',
    'first_time',
    'kid',
    'organization_id',
    'previous',
    'root',
    'seal_number',
    'sealed_at',
    'signature',
    'size',
  ],
  user: ['disabled_at', 'id', 'invitation_sent_at', 'invited_at', 'organization_id'],
};

/** What is deleted in every tenant's name when its time is over. */
const SWEPT = [
  'idempotency_key',
  'otp_budget',
  'otp_challenge',
  'outbox_event',
  'refresh_token',
  'revoked_token',
  'spent_token',
  'user_session',
];

/** What acts as the owner of the tables, who is bound by row-level security, and not as the one who is not. */
const BY_OWNER = ['audit_ensure_partitions', 'purge_organization'];

/** What the two processes may do to the ledger. Only the worker seals; nobody changes what is there. */
const LEDGER_RIGHTS: Record<string, string[]> = {
  scandock_app: [
    'audit_anchor SELECT',
    'audit_event INSERT',
    'audit_event SELECT',
    'audit_seal SELECT',
    'audit_tree SELECT',
    'audit_unsealed SELECT',
  ],
  scandock_worker: [
    'audit_anchor INSERT',
    'audit_anchor SELECT',
    'audit_event INSERT',
    'audit_event SELECT',
    'audit_forms INSERT',
    'audit_forms SELECT',
    'audit_key INSERT',
    'audit_key SELECT',
    'audit_seal INSERT',
    'audit_seal SELECT',
    'audit_tree INSERT',
    'audit_tree SELECT',
    'audit_unsealed DELETE',
    'audit_unsealed SELECT',
  ],
};
const LEDGER_TABLES = [
  'audit_anchor',
  'audit_event',
  'audit_forms',
  'audit_key',
  'audit_seal',
  'audit_tree',
  'audit_unsealed',
];

/** Who made a row, when, and its id: what reports leave out follows from them. */
const KEPT = [
  'upload id',
  'upload principal_kind',
  'upload principal_id',
  'upload issued_at',
  'exam id',
  'exam created_at',
  'share_link id',
  'share_link created_at',
  'order id',
  'order created_at',
  'result id',
  'result delivered_by_id',
  'result created_at',
  'inspect_file id',
  'inspect_file created_by_kind',
  'inspect_file created_by_id',
  'inspect_file created_at',
  'patient_file id',
  'patient_file uploaded_by_kind',
  'patient_file uploaded_by_id',
  'patient_file created_at',
  'patient_case id',
  'patient_case created_at',
];
const changeOf = (kept: string): string => {
  const [table, column] = kept.split(' ');
  return `UPDATE "${table}" SET ${column} = ${column}`;
};

/** Events wait there for their seal, and only the trigger of the ledger puts them there. */
const QUEUED = 'audit_unsealed';

let stack: Stack;
let app: Pool;
let worker: Pool;

beforeAll(async () => {
  stack = await startStack();
  app = new Pool({ connectionString: stack.environment.DATABASE_URL!, max: 1 });
  worker = new Pool({ connectionString: stack.workerEnvironment.DATABASE_URL!, max: 1 });
});
afterAll(async () => {
  await app.end();
  await worker.end();
  await stack.close();
});

const all = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await stack.admin.query<Row>(sql, values)).rows;

describe('every table', () => {
  it('belongs to a tenant, or is one of the few that say why not', async () => {
    expect(await tablesOfUnclearTenant(stack.admin)).toEqual([]);
  });

  it('has row-level security enabled and forced, each partition as well', async () => {
    expect(await tablesWithoutRowSecurity(stack.admin)).toEqual([]);
    const partitions = (await tablesOf(stack.admin)).filter(({ partition }) => partition);
    expect(partitions.length).toBeGreaterThanOrEqual(5);
  });

  it('has the one policy, for every command and every role, and only the known exceptions', async () => {
    expect(await tablesWithoutTheirPolicy(stack.admin)).toEqual([]);
    const others = await otherPolicies(stack.admin);
    expect(others.map(({ tablename, cmd, roles }) => `${tablename} ${cmd} ${roles}`).sort()).toEqual(
      [
        ...[...RESOLVED, ...Object.keys(RESOLVED_COLUMNS)].map(
          (table) => `${table} SELECT {scandock_definer}`,
        ),
        ...SWEPT.map((table) => `${table} DELETE {scandock_definer}`),
        `${QUEUED} INSERT {scandock_definer}`,
      ].sort(),
    );
  });

  it('refers to other tenant tables by keys that include the organization', async () => {
    expect((await foreignKeysOf(stack.admin)).length).toBeGreaterThan(15);
    expect(await keysWithoutOrganization(stack.admin)).toEqual([]);
  });

  it('is owned by a role that cannot log in', async () => {
    const owners = await all<{ owner: string; login: boolean }>(
      `SELECT DISTINCT r.rolname AS owner, r.rolcanlogin AS login FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
       WHERE c.relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace) AND c.relkind IN ('r', 'p', 'S', 'v', 'm')`,
    );
    expect(owners).toEqual([{ owner: 'scandock_owner', login: false }]);
  });
});

describe('functions that act as their owner', () => {
  it('belong to a role without a login, pin their search path, and are nobody’s by default', async () => {
    const functions = await all<{
      name: string;
      owner: string;
      login: boolean;
      superuser: boolean;
      config: string[] | null;
      open: boolean;
    }>(
      `SELECT p.oid::regprocedure::text AS name, r.rolname AS owner, r.rolcanlogin AS login,
              r.rolsuper AS superuser, p.proconfig AS config,
              has_function_privilege('public', p.oid, 'EXECUTE') AS open
       FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    expect(functions.length).toBeGreaterThanOrEqual(15);
    for (const { name, owner, login, superuser, config, open } of functions)
      expect({ name, owner, login, superuser, config, open }).toEqual({
        name,
        owner: BY_OWNER.some((own) => name.startsWith(own)) ? 'scandock_owner' : 'scandock_definer',
        login: false,
        superuser: false,
        config: ['search_path=pg_catalog, public, pg_temp'],
        open: false,
      });
  });

  it('read only what they resolve: their owner skips the policies, so its grants are what bounds them', async () => {
    const grants = await all<{ grant: string }>(
      `SELECT c.relname || ' ' || p.privilege_type AS grant FROM pg_class c, aclexplode(c.relacl) p
       WHERE p.grantee = 'scandock_definer'::regrole AND c.relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)`,
    );
    expect(grants.map(({ grant }) => grant).sort()).toEqual(
      [
        ...RESOLVED.map((table) => `${table} SELECT`),
        ...SWEPT.map((table) => `${table} DELETE`),
        `${QUEUED} INSERT`,
      ].sort(),
    );
    const columns = await all<{ grant: string }>(
      `SELECT c.relname || ' ' || a.attname || ' ' || p.privilege_type AS grant
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) p
       WHERE p.grantee = 'scandock_definer'::regrole`,
    );
    expect(columns.map(({ grant }) => grant).sort()).toEqual(
      Object.entries(RESOLVED_COLUMNS).flatMap(([table, names]) =>
        names.map((name) => `${table} ${name} SELECT`),
      ),
    );
    const others = await all<{ name: string }>(
      `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'scandock%' AND rolname NOT IN ('scandock_admin', 'scandock_definer')
       AND (rolsuper OR rolbypassrls)`,
    );
    expect(others).toEqual([]);
  });

  it('can be called by the API only where a credential is resolved, and by the worker', async () => {
    const callable = (role: string) =>
      all<{ name: string }>(
        `SELECT p.proname AS name FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
         AND has_function_privilege($1, p.oid, 'EXECUTE') ORDER BY 1`,
        [role],
      ).then((rows) => rows.map(({ name }) => name));
    expect(await callable('scandock_app')).toEqual([
      'audit_newest_entries', // hashes
      'organization_page', // ids and times, for the platform's owner
      'resolve_api_key',
      'resolve_client_id',
      'resolve_oauth_client',
      'resolve_portal_key',
      'resolve_share_link',
    ]);
    expect(await callable('scandock_worker')).toEqual([
      'audit_default_records', // a count
      'audit_ensure_partitions',
      'audit_entries_followed',
      'audit_entries_for',
      'audit_forwarding_behind',
      'audit_newest_entries',
      'audit_unfinished_exports',
      'audit_unsealed_organizations',
      'ledger_summary',
      'organization_ids',
      'organization_page',
      'purge_organization', // within one organization, whose purge was asked for
      'reconcile_copies',
      'reconcile_deleted',
      'reconcile_deletions',
      'reconcile_due_submissions',
      'reconcile_lookup',
      'reconcile_overdue',
      'reconcile_purging',
      'reconcile_stalled',
      'reconcile_unfinished_files',
      'reconcile_unsent_codes',
      'reconcile_unsent_invitations',
      'resolve_api_key',
      'resolve_client_id',
      'resolve_oauth_client',
      'resolve_portal_key',
      'resolve_share_link',
      'sweep_idempotency_keys',
      'sweep_outbox_events',
      'sweep_sign_ins',
      'sweep_tokens',
    ]);
  });

  it('return ids, hashes, states, times and counts, never a name or a value', async () => {
    const returned = await all<{ column: string }>(
      `SELECT DISTINCT name AS column FROM pg_proc p, unnest(p.proargnames, p.proargmodes) AS a(name, mode)
       WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND mode = 't' ORDER BY 1`,
    );
    expect(returned.map(({ column }) => column)).toEqual([
      'attempt',
      'closes_at',
      'created_at',
      'entry',
      'export_key',
      'first_position',
      'forwarded',
      'held',
      'id',
      'key',
      'key_id',
      'kid',
      'manifest_key',
      'manifest_sha256',
      'newest',
      'oldest',
      'organization_id',
      'parked',
      'prefix',
      'previous',
      'records',
      'root',
      'seal_number',
      'sealed_at',
      'secret_hash',
      'signature',
      'size',
      'state',
      'unsealed',
      'upload_id',
      'url_expires_at',
    ]);
  });
});

describe.each([
  ['scandock_app', () => app],
  ['scandock_worker', () => worker],
] as const)('%s', (role, pool) => {
  const refusal = (sql: string) =>
    pool()
      .query(sql)
      .then(
        () => 'allowed',
        (error: { code: string }) => error.code,
      );

  it('is bound by row-level security and owns nothing', async () => {
    const [attributes] = await all(
      `SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
              (SELECT count(*)::int FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o') AS owned
       FROM pg_roles r WHERE rolname = $1`,
      [role],
    );
    expect(attributes).toEqual({
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      owned: 0,
    });
  });

  it('is a member of nothing that may do more', async () => {
    const memberships = await all<{ name: string }>(
      `SELECT rolname AS name FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER') AND rolname <> $1`,
      [role],
    );
    expect(memberships.map(({ name }) => name)).toEqual(role === 'scandock_worker' ? ['scandock_app'] : []);
    for (const other of ['scandock_owner', 'scandock_definer', 'scandock_admin'])
      expect(await refusal(`SET ROLE ${other}`)).toBe('42501');
  });

  it.each([
    'UPDATE audit_event SET action = action',
    'DELETE FROM audit_event',
    'TRUNCATE audit_event',
    'DELETE FROM audit_event_default',
    'SELECT 1 FROM audit_event_default',
    'ALTER TABLE audit_event DISABLE TRIGGER audit_event_no_change',
    'ALTER TABLE audit_event DISABLE TRIGGER ALL',
    'ALTER TABLE audit_event DETACH PARTITION audit_event_default',
    'DROP TABLE audit_event',
    `SELECT audit_adopt_month('2001-01-01')`,
    `SELECT audit_retire_month('2001-01-01', now(), '[]')`,
    `SELECT audit_drop_month('2001-01-01', now(), '[]')`,
    `SELECT * FROM audit_month_organizations('2001-01-01')`,
    `SELECT * FROM audit_retired_organizations('2001-01-01')`,
    'INSERT INTO audit_retired SELECT * FROM audit_retired',
    'UPDATE audit_retired SET events = events',
    'DELETE FROM audit_retired',
    'UPDATE audit_hold SET reference = reference',
    'DELETE FROM audit_hold',
    'TRUNCATE audit_hold',
    `SET session_replication_role = replica`,
    'ALTER TABLE exam DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE exam NO FORCE ROW LEVEL SECURITY',
    'CREATE POLICY mine ON exam USING (true)',
    'DROP POLICY tenant ON exam',
    'CREATE TABLE public.mine (id int)',
    'CREATE TABLE bullmq.mine (id int)',
    'CREATE SCHEMA mine',
    'CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'ALTER FUNCTION resolve_api_key(bytea) RESET search_path',
    'SELECT 1 FROM _prisma_migrations',
    'DELETE FROM organization',
    'DELETE FROM signing_key',
    'DELETE FROM exam',
    'DELETE FROM upload',
    'DELETE FROM "order"',
    'DELETE FROM result',
    ...KEPT.map(changeOf),
    'DELETE FROM patient_file',
    'DELETE FROM inspect_file',
    'DELETE FROM share_link',
    'DELETE FROM outbox_event',
    'UPDATE outbox_event SET type = type',
    'TRUNCATE outbox_event',
    `COPY exam TO PROGRAM 'true'`,
    'INSERT INTO audit_unsealed SELECT organization_id, occurred_at, id FROM audit_event',
    'UPDATE audit_unsealed SET occurred_at = occurred_at',
    'TRUNCATE audit_unsealed',
    'UPDATE audit_tree SET root = root',
    'DELETE FROM audit_tree',
    'TRUNCATE audit_tree',
    'UPDATE audit_forms SET sealed_forms = sealed_forms',
    'DELETE FROM audit_forms',
    'TRUNCATE audit_forms',
    'UPDATE audit_seal SET root = root',
    'DELETE FROM audit_seal',
    'TRUNCATE audit_seal',
    'UPDATE audit_key SET public_key = public_key',
    'DELETE FROM audit_key',
    'TRUNCATE audit_key',
    'UPDATE audit_anchor SET seal_number = seal_number',
    'DELETE FROM audit_anchor',
    'TRUNCATE audit_anchor',
    'ALTER TABLE audit_event DISABLE TRIGGER audit_event_await_seal',
    'DROP TRIGGER audit_event_await_seal ON audit_event',
    'DROP TRIGGER audit_event_no_change ON audit_event',
    'DROP TRIGGER audit_tree_no_change ON audit_tree',
    'ALTER TABLE audit_tree DISABLE TRIGGER audit_tree_no_change',
    'ALTER TABLE audit_seal DISABLE TRIGGER USER',
    'ALTER TABLE audit_unsealed DISABLE ROW LEVEL SECURITY',
    'CREATE TRIGGER mine BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_is_insert_only()',
    'CREATE RULE mine AS ON INSERT TO audit_event DO INSTEAD NOTHING',
    ...[
      'audit_event_await_seal',
      'audit_event_is_insert_only',
      'audit_event_is_not_missing',
      'audit_seal_is_insert_only',
    ].flatMap((name) => [
      `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
      `ALTER FUNCTION ${name}() RENAME TO mine`,
      `ALTER FUNCTION ${name}() SET search_path = mine`,
      `DROP FUNCTION ${name}() CASCADE`,
    ]),
  ])('may not: %s', async (sql) => {
    expect(await refusal(sql)).toBe('42501');
  });

  it('may change no partition of the ledger, nor read one past its parent, nor take it away', async () => {
    const partitions = await all<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_event'::regclass`,
    );
    expect(partitions.length).toBeGreaterThanOrEqual(5);
    for (const { name } of partitions)
      for (const sql of [
        `SELECT 1 FROM ${name}`,
        `INSERT INTO ${name} DEFAULT VALUES`,
        `UPDATE ${name} SET action = action`,
        `DELETE FROM ${name}`,
        `TRUNCATE ${name}`,
        `ALTER TABLE ${name} DISABLE TRIGGER ALL`,
        `ALTER TABLE audit_event DETACH PARTITION ${name}`,
        `DROP TABLE ${name}`,
      ])
        expect({ sql, refusal: await refusal(sql) }).toEqual({ sql, refusal: '42501' });
  });

  it('of the tables of the ledger has these rights and no others, of any partition none', async () => {
    const grants = await all<{ right: string }>(
      `SELECT t.name || ' ' || r.name AS right
       FROM (SELECT c.oid, c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
             AND c.relname LIKE 'audit\\_%' AND c.relkind IN ('r', 'p')) t,
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) AS r(name)
       WHERE has_table_privilege($1, t.oid, r.name) ORDER BY 1`,
      [role],
    );
    expect(
      grants.map(({ right }) => right).filter((right) => LEDGER_TABLES.includes(right.split(' ')[0]!)),
    ).toEqual(LEDGER_RIGHTS[role]);
    expect(grants.map(({ right }) => right).filter((right) => right.startsWith('audit_event_'))).toEqual([]);
    const columns = await all<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'audit_key'::regclass AND attnum > 0
       AND has_column_privilege($1, attrelid, attnum, 'SELECT') ORDER BY 1`,
      [role],
    );
    expect(columns.map(({ name }) => name)).toEqual([
      'created_at',
      'kid',
      'mac',
      'public_key',
      ...(role === 'scandock_worker' ? ['sealed_private'] : []),
    ]);
  });
});

describe('the API', () => {
  it.each([
    'SELECT sealed_private FROM audit_key',
    'SELECT * FROM audit_key',
    'SELECT k FROM audit_key k',
    'COPY audit_key TO STDOUT',
    'DELETE FROM audit_unsealed',
    `INSERT INTO audit_key (kid, public_key, sealed_private, created_at) VALUES ('k', '', '', now())`,
    `INSERT INTO audit_seal (number, sealed_at, previous, root, head, kid, signature) VALUES (1, now(), '', '', '', 'k', '')`,
    `INSERT INTO audit_anchor (place, seal_number, anchored_at) VALUES ('bucket', 1, now())`,
    'INSERT INTO audit_tree DEFAULT VALUES',
    'SELECT 1 FROM audit_forms',
    'INSERT INTO audit_forms DEFAULT VALUES',
    'SELECT * FROM audit_unsealed_organizations()',
  ])('may not: %s', async (sql) => {
    await expect(app.query(sql)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the ledger', () => {
  it('refuses a change even from its owner and from a superuser', async () => {
    const client = await stack.admin.connect();
    try {
      const organization = '00000000-0000-7000-8000-00000000abcd';
      for (const role of ['scandock_owner', 'scandock_admin']) {
        await client.query('BEGIN');
        await client.query(`SET LOCAL ROLE ${role}`);
        await client.query(`SELECT set_config('app.organization_id', $1, true)`, [organization]);
        await client.query(
          `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, detail)
           VALUES (gen_random_uuid(), now(), $1, 'system', 'a', 'success', '{}')`,
          [organization],
        );
        for (const sql of [
          `UPDATE audit_event SET action = 'b'`,
          'DELETE FROM audit_event',
          'TRUNCATE audit_event',
        ]) {
          await client.query('SAVEPOINT s');
          await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
          await client.query('ROLLBACK TO s');
        }
        await client.query('ROLLBACK');
      }
    } finally {
      client.release();
    }
  });

  it('refuses a change of trees, seals, keys and anchors even from their owner and from a superuser', async () => {
    const client = await stack.admin.connect();
    const bytes = Buffer.alloc(32);
    try {
      for (const role of ['scandock_owner', 'scandock_admin']) {
        await client.query('BEGIN');
        await client.query(`SET LOCAL ROLE ${role}`);
        await client.query(`SELECT set_config('app.organization_id', gen_random_uuid()::text, true)`);
        await client.query(
          `INSERT INTO audit_tree VALUES (current_setting('app.organization_id')::uuid, 1, 1, 1, now(), $1, $1, $1, 'k', $1,
             ARRAY[gen_random_uuid()], ARRAY[now()], $1, now(), now())`,
          [bytes],
        );
        await client.query(`INSERT INTO audit_seal VALUES (1, now(), $1, $1, $1, 'k', $1)`, [bytes]);
        await client.query(
          `INSERT INTO audit_key (kid, public_key, sealed_private, mac, created_at) VALUES ('k', $1, $1, $1, now())`,
          [bytes],
        );
        await client.query(`INSERT INTO audit_anchor VALUES ('bucket', 1, now())`);
        for (const sql of [
          'UPDATE audit_tree SET size = size',
          'UPDATE audit_seal SET number = number',
          'UPDATE audit_key SET kid = kid',
          'UPDATE audit_anchor SET place = place',
          ...['audit_tree', 'audit_seal', 'audit_key', 'audit_anchor'].flatMap((table) => [
            `DELETE FROM ${table}`,
            `TRUNCATE ${table}`,
          ]),
        ]) {
          await client.query('SAVEPOINT s');
          await expect(client.query(sql)).rejects.toMatchObject({
            code: '42501',
            message: 'seals are insert-only',
          });
          await client.query('ROLLBACK TO s');
        }
        await client.query('ROLLBACK');
      }
    } finally {
      client.release();
    }
  });

  it('is guarded by triggers that fire, on every table and every partition', async () => {
    const triggers = await all<{ name: string }>(
      `SELECT t.tgrelid::regclass || ' ' || t.tgname || ' ' || t.tgenabled::text AS name FROM pg_trigger t
       WHERE t.tgrelid = ANY ($1::regclass[]) AND NOT t.tgisinternal ORDER BY 1`,
      [LEDGER_TABLES],
    );
    expect(triggers.map(({ name }) => name)).toEqual([
      'audit_anchor audit_anchor_no_change O',
      'audit_event audit_event_await_seal O',
      'audit_event audit_event_no_change O',
      'audit_event audit_event_no_truncate O',
      'audit_event audit_event_not_missing O',
      'audit_key audit_key_no_change O',
      'audit_seal audit_seal_no_change O',
      'audit_tree audit_tree_no_change O',
    ]);
    const partitions = await all<{ name: string; triggers: string[] }>(
      `SELECT i.inhrelid::regclass::text AS name, array_agg(t.tgname || ' ' || t.tgenabled::text ORDER BY t.tgname) AS triggers
       FROM pg_inherits i LEFT JOIN pg_trigger t ON t.tgrelid = i.inhrelid AND NOT t.tgisinternal
       WHERE i.inhparent = 'audit_event'::regclass GROUP BY i.inhrelid`,
    );
    for (const { name, triggers } of partitions)
      expect({ name, triggers }).toEqual({
        name,
        triggers: ['audit_event_no_change O', 'audit_event_no_truncate O', 'audit_event_not_missing O'],
      });
  });

  it('keeps an event of a month that has no partition', async () => {
    const client = await stack.admin.connect();
    try {
      await client.query('BEGIN');
      const { rows } = await client.query<{ place: string }>(
        `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, detail)
         VALUES (gen_random_uuid(), '2001-01-01', gen_random_uuid(), 'system', 'a', 'success', '{}')
         RETURNING tableoid::regclass::text AS place`,
      );
      expect(rows).toEqual([{ place: 'audit_event_default' }]);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

describe('a row that reports read', () => {
  it('keeps its id, who made it and when, even from its owner and from a superuser', async () => {
    const client = await stack.admin.connect();
    try {
      for (const role of ['scandock_owner', 'scandock_admin']) {
        await client.query(`BEGIN; SET LOCAL ROLE ${role}; SAVEPOINT s`);
        for (const kept of KEPT) {
          await expect(client.query(changeOf(kept))).rejects.toMatchObject({ code: '42501' });
          await client.query('ROLLBACK TO s');
        }
        await client.query('ROLLBACK');
      }
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

describe('a process at boot', () => {
  const confined = async (url: string): Promise<void> => {
    const service = new DatabaseService(parseConfig({ ...stack.environment, DATABASE_URL: url }));
    try {
      await service.assertConfined();
    } finally {
      await service.onApplicationShutdown();
    }
  };
  const as = (role: string, password: string): string => {
    const url = new URL(stack.environment.DATABASE_URL!);
    [url.username, url.password] = [role, password];
    return url.toString();
  };

  it('accepts the two roles that are bound', async () => {
    await confined(stack.environment.DATABASE_URL!);
    await confined(stack.workerEnvironment.DATABASE_URL!);
  });

  it('refuses a superuser', async () => {
    const url = new URL(process.env.TEST_ADMIN_URL!);
    url.pathname = new URL(stack.environment.DATABASE_URL!).pathname;
    await expect(confined(url.toString())).rejects.toThrow(
      /"scandock_admin", which row-level security does not bind/,
    );
  });

  it('refuses a role with BYPASSRLS, and one that owns a table', async () => {
    const name = `t_${Date.now()}`; // roles belong to the cluster, which other tests share
    await stack.admin.query(`CREATE ROLE ${name} LOGIN BYPASSRLS PASSWORD 'p'`);
    try {
      await expect(confined(as(name, 'p'))).rejects.toThrow('row-level security does not bind');
      await stack.admin.query(`ALTER ROLE ${name} NOBYPASSRLS; GRANT scandock_app TO ${name}`);
      await confined(as(name, 'p'));
      await stack.admin.query(`CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO ${name}`);
      await expect(confined(as(name, 'p'))).rejects.toThrow('row-level security does not bind');
    } finally {
      await stack.admin.query(`DROP TABLE IF EXISTS owned; DROP ROLE ${name}`);
    }
  });

  it('refuses a role that may become the owner or a superuser', async () => {
    const name = `m_${Date.now()}`;
    await stack.admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'p'; GRANT scandock_owner TO ${name}`);
    try {
      await expect(confined(as(name, 'p'))).rejects.toThrow('row-level security does not bind');
    } finally {
      await stack.admin.query(`DROP ROLE ${name}`);
    }
  });
});
