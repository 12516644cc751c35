import { randomUUID } from 'node:crypto';
import { allOperations } from '../../dist/platform/authorization/operations.js';

const MONTHS = 12;
/** Rows a statement inserts. */
const BATCH = 250_000;
const MEASURED_SHARE = 0.5;
const OTHER_TENANTS = 24;

/**
 * Fills the ledger by SQL with events of the last year and of many tenants: half of them of `organizationId`, whose 200
 * actors, 40 actions and their types are used unevenly (the square of a random number), 1 % denied and 0.2 % failed, a
 * request each; resources, patients and studies change every ten or hundred events. One actor has left ten months ago.
 * Triggers and the search's indexes are left out meanwhile; these are made at the end.
 */
export async function fillLedger(admin, organizationId, events) {
  await admin.query(
    `SELECT audit_ensure_partitions((now() - interval '${MONTHS - 1} months')::date, ${MONTHS})`,
  );
  const indexes = await searchIndexes(admin);
  const shapes = allOperations()
    .filter(({ audited }) => audited !== 'never')
    .slice(0, 40);
  const [actions, subjects] = [shapes.map(({ name }) => name), shapes.map(({ subject }) => subject)];
  const others = Array.from({ length: OTHER_TENANTS }, () => randomUUID());
  const client = await admin.connect();
  try {
    await client.query('SET session_replication_role = replica'); // no seals: they are not what is measured
    await client.query(`SET maintenance_work_mem = '512MB'`);
    for (const name of indexes.keys()) await client.query(`DROP INDEX ${name}`);
    for (let first = 1; first <= events; first += BATCH) {
      const last = Math.min(first + BATCH - 1, events);
      await client.query(INSERT, [organizationId, others, actions, subjects, first, last, events]);
    }
    for (const definition of indexes.values()) await client.query(definition);
    await client.query('VACUUM ANALYZE audit_event');
  } finally {
    client.release(true); // with its settings
  }
}

/** Of the ledger's indexes those of the search, which the primary key and the plain list do without. */
export async function searchIndexes(admin) {
  const { rows } = await admin.query(
    `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
     WHERE tablename = 'audit_event' AND indexname LIKE 'audit\\_event\\_%' AND indexname !~ '(pkey|_occurred_at_id_idx)$'`,
  );
  return new Map(rows.map(({ name, definition }) => [name, definition.replace(' ON ONLY ', ' ON ')]));
}

/** Events a second that come in by SQL, in ten statements of 5,000, with the indexes of the search and without them. */
export async function insertRates(admin) {
  const indexes = [...(await searchIndexes(admin)).keys()];
  const client = await admin.connect();
  const rateOf = async (dropped) => {
    await client.query('BEGIN');
    if (dropped.length > 0) await client.query(`DROP INDEX ${dropped.join(', ')}`);
    const begun = performance.now();
    for (let part = 0; part < 10; part++)
      await client.query(
        `INSERT INTO audit_event (${COLUMNS}) SELECT ${COLUMNS} FROM added WHERE part = $1`,
        [part],
      );
    const rate = 50_000 / ((performance.now() - begun) / 1000);
    await client.query('ROLLBACK');
    return rate;
  };
  try {
    await client.query(`
      CREATE TEMP TABLE added AS SELECT *, (row_number() OVER () - 1) / 5000 AS part
      FROM (SELECT * FROM audit_event TABLESAMPLE SYSTEM (2) LIMIT 50000) AS picked`);
    await client.query(`
      UPDATE added SET occurred_at = now(), id = ${idAt('now()', 'request_id')}, request_id = md5('new' || request_id),
                       resource_id = md5('new' || resource_id)`);
    await client.query('ANALYZE added');
    await rateOf([]); // the first one reads what the others find in memory
    const [first, without, last] = [await rateOf([]), await rateOf(indexes), await rateOf([])];
    return { with: (first + last) / 2, without };
  } finally {
    client.release(true);
  }
}

const COLUMNS = `id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type, resource_id,
  patient_ref, study_ref, request_id, trace_id, ip, user_agent, scopes, detail`;

/** A UUIDv7 of a time, by SQL. */
function idAt(time, seed) {
  const hex = `lpad(to_hex((extract(epoch FROM ${time}) * 1000)::bigint), 12, '0') || md5('e' || ${seed})`;
  return `overlay(overlay(${hex} placing '7' from 13) placing '8' from 17)::char(32)::uuid`;
}

/** $1 the tenant, $2 the others, $3 actions, $4 their subjects, $5 and $6 from which to which, $7 of how many. */
const INSERT = `
  INSERT INTO audit_event (${COLUMNS})
  SELECT ${idAt('e.at', 'e.n')},
         e.at, e.org, e.kind, e.actor, 'Somebody of the clinic', e.action,
         CASE WHEN e.luck < 0.01 THEN 'denied' WHEN e.luck < 0.012 THEN 'failure' ELSE 'success' END,
         e.type, md5('r' || (e.n / 10))::uuid::text,
         CASE WHEN e.n % 10 < 3 THEN md5('p' || (e.n / 100))::uuid::text END,
         CASE WHEN e.n % 10 < 4 THEN md5('s' || (e.n / 100))::uuid::text END,
         md5('q' || e.n)::uuid::text, md5('t' || e.n), '10.0.' || (e.n % 256) || '.7', 'Scanner/5.2 (radiology)',
         '{orders:read,orders:write}', '{}'
  FROM (
    SELECT n, luck, date_trunc('milliseconds', now() - interval '350 days' * (1 - n / $7::float8)) AS at,
           CASE WHEN n % 100 < ${MEASURED_SHARE * 100} THEN $1::uuid ELSE ($2::uuid[])[1 + n % ${OTHER_TENANTS}] END AS org,
           CASE WHEN actor < 5 THEN 'client' WHEN actor < 20 THEN 'api_key' ELSE 'user' END AS kind,
           CASE WHEN n % 50 = 1 AND n < $7 * 0.08 THEN 'left' ELSE md5('a' || actor)::uuid::text END AS actor,
           ($3::text[])[shape] AS action, ($4::text[])[shape] AS type
    FROM (SELECT n, random() AS luck, floor(200 * power(random(), 2))::int AS actor,
                 1 + floor(40 * power(random(), 2))::int AS shape
          FROM generate_series($5::bigint, $6::bigint) n) AS drawn
  ) AS e`;
