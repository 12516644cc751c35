import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Pool } from 'pg';
import { parseConfig } from '../../src/platform/config/config.schema.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { type Stack, startStack } from '../support/stack.js';

/** Tables that belong to no tenant, and why: nothing may join them without somebody writing it here. */
const NO_TENANT: Record<string, string> = {
  organization: 'is the tenant: by its own id',
  signing_key: 'the deployment’s; private halves are sealed under the master key',
  _prisma_migrations: 'the migrator’s; no process of ours may read it',
};

const TENANT_POLICY = (column: string) =>
  `(${column} = (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid)`;

/** Who may see across tenants, in which tables: the credential resolvers and the reconciler, reading. */
const RESOLVED = [
  'api_key',
  'client_key',
  'idempotency_key',
  'oauth_client',
  'object_copy',
  'organization',
  'outbox_event',
  'share_link',
  'stored_object',
  'submission',
  'upload',
];

/** What is deleted in every tenant's name when its time is over. */
const SWEPT = ['idempotency_key', 'outbox_event'];

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

const tables = () =>
  all<{ name: string; partition: boolean; tenant: boolean; enabled: boolean; forced: boolean }>(
    `SELECT c.relname AS name, c.relispartition AS partition, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
            EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id'
                    AND a.attnotnull AND a.atttypid = 'uuid'::regtype) AS tenant
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f', 'v') ORDER BY 1`,
  );

describe('every table', () => {
  it('belongs to a tenant, or is one of the few that say why not', async () => {
    const without = (await tables()).filter(({ tenant }) => !tenant).map(({ name }) => name);
    expect(without.sort()).toEqual(Object.keys(NO_TENANT).sort());
  });

  it('has row-level security enabled and forced, each partition as well', async () => {
    const bare = (await tables())
      .filter(({ name }) => !['signing_key', '_prisma_migrations'].includes(name))
      .filter(({ enabled, forced }) => !enabled || !forced);
    expect(bare).toEqual([]);
    expect((await tables()).filter(({ partition }) => partition).length).toBeGreaterThanOrEqual(5);
  });

  it('has the one policy, for every command and every role, and only the known exceptions', async () => {
    const policies = await all<{
      tablename: string;
      policyname: string;
      permissive: string;
      roles: string;
      cmd: string;
      qual: string;
      with_check: string | null;
    }>('SELECT *, roles::text AS roles FROM pg_policies ORDER BY tablename, policyname');
    const protectedTables = (await tables()).filter(({ enabled }) => enabled).map(({ name }) => name);
    const tenant = policies.filter(({ policyname }) => policyname === 'tenant');
    expect(tenant.map(({ tablename }) => tablename)).toEqual(protectedTables);
    for (const { tablename, permissive, roles, cmd, qual, with_check } of tenant)
      expect({ tablename, permissive, roles, cmd, qual, with_check }).toEqual({
        tablename,
        permissive: 'PERMISSIVE',
        roles: '{public}',
        cmd: 'ALL',
        qual: TENANT_POLICY(tablename === 'organization' ? 'id' : 'organization_id'),
        with_check: null, // absent: the same condition
      });
    const others = policies.filter(({ policyname }) => policyname !== 'tenant');
    expect(others.map(({ tablename, cmd, roles }) => `${tablename} ${cmd} ${roles}`).sort()).toEqual(
      [
        ...RESOLVED.map((table) => `${table} SELECT {scandock_definer}`),
        ...SWEPT.map((table) => `${table} DELETE {scandock_definer}`),
      ].sort(),
    );
  });

  it('refers to other tenant tables by keys that include the organization', async () => {
    const keys = await all<{ name: string; parent: string; columns: string[]; parents: string[] }>(
      `SELECT k.conname AS name, k.confrelid::regclass::text AS parent,
              (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY AS c(n, o)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.n) AS columns,
              (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY AS c(n, o)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.n) AS parents
       FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`,
    );
    expect(keys.length).toBeGreaterThan(15);
    for (const { name, parent, columns, parents } of keys) {
      const own = parent === 'organization' ? 'id' : 'organization_id';
      const at = columns.indexOf('organization_id');
      expect({ name, own: parents[at] }).toEqual({ name, own });
    }
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
        owner: name.startsWith('audit_ensure_partitions') ? 'scandock_owner' : 'scandock_definer',
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
      [...RESOLVED.map((table) => `${table} SELECT`), ...SWEPT.map((table) => `${table} DELETE`)].sort(),
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
      'resolve_api_key',
      'resolve_oauth_client',
      'resolve_share_link',
    ]);
    expect(await callable('scandock_worker')).toEqual([
      'audit_ensure_partitions',
      'ledger_summary',
      'organization_ids',
      'reconcile_copies',
      'reconcile_deleted',
      'reconcile_due_submissions',
      'reconcile_lookup',
      'reconcile_overdue',
      'reconcile_purging',
      'reconcile_stalled',
      'resolve_api_key',
      'resolve_oauth_client',
      'resolve_share_link',
      'sweep_idempotency_keys',
      'sweep_outbox_events',
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
      'id',
      'key',
      'key_id',
      'oldest',
      'organization_id',
      'parked',
      'prefix',
      'records',
      'secret_hash',
      'state',
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
    'DELETE FROM outbox_event',
    'UPDATE outbox_event SET type = type',
    'TRUNCATE outbox_event',
    `COPY exam TO PROGRAM 'true'`,
  ])('may not: %s', async (sql) => {
    expect(await refusal(sql)).toBe('42501');
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
