import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { runMigrations as migrateQueue } from 'bullmq';
import { applyMigrations } from './migrator.js';

/** Where BullMQ keeps its tables when the queue runs on Postgres. */
export const QUEUE_SCHEMA = 'bullmq';

const INSUFFICIENT_PRIVILEGE = '42501';

export interface BootstrapOptions {
  /** Connection string of a role that may create roles and the database. */
  adminUrl: string;
  migrationsDir: string;
  /** Passwords the two login roles get. */
  passwords: { app: string; worker: string };
  /** Queues to make BullMQ's tables for; none when they are on Redis. */
  queues: string[];
}

/**
 * Makes database and roles, and applies every migration as the owner role. Safe to repeat and to run twice at once.
 * Roles are a matter of the cluster, not of one database, which is why they are not made by a migration.
 */
export async function bootstrapDatabase(options: BootstrapOptions): Promise<{ applied: string[] }> {
  await createDatabase(options.adminUrl);
  const client = new Client({ connectionString: options.adminUrl });
  await client.connect();
  try {
    await createRoles(client, options.passwords);
    await client.query('SET ROLE scandock_owner');
    const applied = await applyMigrations(client, options.migrationsDir);
    if (options.queues.length > 0) await createQueueSchema(client, options.queues);
    return { applied };
  } finally {
    await client.end();
  }
}

async function createDatabase(adminUrl: string): Promise<void> {
  const url = new URL(adminUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = '/postgres';
  const client = new Client({ connectionString: url.toString() });
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0)
      await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`).catch((error: { code?: string }) => {
        if (error.code !== '42P04' && error.code !== '23505') throw error; // somebody else made it just now
      });
  } finally {
    await client.end();
  }
}

/** One statement list under one lock: two bootstraps at once would trip over `CREATE ROLE`. */
async function createRoles(client: Client, passwords: BootstrapOptions['passwords']): Promise<void> {
  const create = (name: string, attributes: string) => `
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '${name}') THEN CREATE ROLE ${name} ${attributes}; END IF;`;
  const database = escapeIdentifier(
    (await client.query<{ name: string }>('SELECT current_database() AS name')).rows[0]!.name,
  );
  await client.query('BEGIN');
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('scandock bootstrap'))`);
  await client.query(`DO $bootstrap$ BEGIN
    ${create('scandock_owner', 'NOLOGIN NOBYPASSRLS')}
    ${create('scandock_definer', 'NOLOGIN')}
    ${create('scandock_app', 'LOGIN NOBYPASSRLS')}
    ${create('scandock_worker', 'LOGIN NOBYPASSRLS')}
  END $bootstrap$`);
  await client.query(`
    ALTER ROLE scandock_app RESET ALL;
    ALTER ROLE scandock_worker RESET ALL;
    ALTER ROLE scandock_app PASSWORD ${escapeLiteral(passwords.app)};
    ALTER ROLE scandock_worker PASSWORD ${escapeLiteral(passwords.worker)};
    GRANT scandock_app TO scandock_worker;
    GRANT scandock_definer TO scandock_owner;
    GRANT scandock_owner TO CURRENT_USER;
    GRANT CONNECT, CREATE ON DATABASE ${database} TO scandock_owner;
    GRANT CONNECT ON DATABASE ${database} TO scandock_app;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE, CREATE ON SCHEMA public TO scandock_owner, scandock_definer;
    GRANT USAGE ON SCHEMA public TO scandock_app;`);
  await client.query('COMMIT');
  await exemptDefiner(client);
}

/**
 * The functions that look across tenants see every row by policy already. But a table under row-level security may not
 * use an index for a comparison that is not leakproof (enums are not), so that each pass of the reconciler would read
 * the whole ledger: their NOLOGIN owner skips the policies instead (docs/adr/0014). Where the administrator may not
 * grant that, everything works all the same, only slower.
 */
async function exemptDefiner(client: Client): Promise<void> {
  await client.query('ALTER ROLE scandock_definer BYPASSRLS').catch((error: { code?: string }) => {
    if (error.code !== INSUFFICIENT_PRIVILEGE) throw error;
  });
}

/**
 * The queue's tables hold ids only; both processes may read and write them. BullMQ makes a sequence at the first job of
 * a queue: it is made here, because the application may not create anything.
 */
async function createQueueSchema(client: Client, queues: string[]): Promise<void> {
  await migrateQueue(client, QUEUE_SCHEMA);
  await client.query(`SET search_path TO ${QUEUE_SCHEMA}`);
  for (const queue of queues) await client.query('SELECT next_job_id($1)', [queue]);
  await client.query('RESET search_path');
  await client.query(`
    GRANT USAGE ON SCHEMA ${QUEUE_SCHEMA} TO scandock_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${QUEUE_SCHEMA} TO scandock_app;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${QUEUE_SCHEMA} TO scandock_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${QUEUE_SCHEMA} TO scandock_app;`);
}
