import { Client as PgClient } from 'pg';
import type { World } from '../support/world.js';

/** A way in which the ledger is not there. */
export interface LedgerFault {
  name: string;
  /** Makes it so; returns what makes it good again. */
  strike(world: World): Promise<() => Promise<unknown>>;
}

/** SQLSTATE 53100, as from a disk without room, whenever a row is to be put into the table. */
const full = (table: string): LedgerFault['strike'] =>
  bySql(
    `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$;
     CREATE TRIGGER no_room BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION no_room()`,
    `DROP TRIGGER no_room ON ${table}; DROP FUNCTION no_room()`,
  );

function bySql(fault: string, repair: string): LedgerFault['strike'] {
  return async ({ admin }) => {
    await admin.query(fault);
    return () => admin.query(repair);
  };
}

/** Held by another session until it ends. */
const locked: LedgerFault['strike'] = async ({ admin }) => {
  const holder = await admin.connect();
  await holder.query('BEGIN; LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE');
  return async () => {
    await holder.query('ROLLBACK');
    holder.release();
  };
};

/** No connection is let in, and all are cut. */
const databaseGone: LedgerFault['strike'] = async ({ config }) => {
  const name = new URL(config.DATABASE_URL).pathname.slice(1);
  const server = new PgClient({ connectionString: process.env.TEST_ADMIN_URL });
  await server.connect();
  await server.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await server.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = $1 AND usename IN ('scandock_app', 'scandock_worker')`,
    [name],
  );
  return async () => {
    await server.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await server.end();
  };
};

/** How long somebody waits for the lock: a tenth of what it is as shipped, since each call and each chore does. */
export const IMPATIENT = { lock_timeout: '300' };

/** Every way in which the ledger can be away. */
export const LEDGER_FAULTS: readonly LedgerFault[] = [
  { name: 'full', strike: full('audit_event') },
  { name: 'full where events wait for their seal', strike: full('audit_unsealed') },
  { name: 'locked', strike: locked },
  {
    name: 'renamed away',
    strike: bySql(
      'ALTER TABLE audit_event RENAME TO hidden_event',
      'ALTER TABLE hidden_event RENAME TO audit_event',
    ),
  },
  {
    name: 'without a partition',
    strike: async ({ admin }) => {
      const { rows } = await admin.query<{ name: string; bound: string }>(
        `SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i
         JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_event'::regclass`,
      );
      for (const { name } of rows) await admin.query(`ALTER TABLE audit_event DETACH PARTITION ${name}`);
      return async () => {
        for (const { name, bound } of rows)
          await admin.query(`ALTER TABLE audit_event ATTACH PARTITION ${name} ${bound}`);
      };
    },
  },
  {
    name: 'out of reach of its grant',
    strike: bySql(
      'REVOKE INSERT ON audit_event FROM scandock_app',
      'GRANT INSERT ON audit_event TO scandock_app',
    ),
  },
  { name: 'gone with its database', strike: databaseGone },
];
