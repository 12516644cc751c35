import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { URLSearchParams } from 'node:url';
import pg from 'pg';
import { asOperator } from '../../dist/operator.js';
import { fillLedger, insertRates } from './ledger-rows.mjs';
import { startProduct, times } from './stack.mjs';

const EVENTS = Number(process.env.BENCH_EVENTS ?? 10_000_000);
/** Where the filled ledger is kept for another run. */
const KEPT = process.env.BENCH_LEDGER;
const CALLS = Number(process.env.BENCH_CALLS ?? 100);
const GOAL_MS = 50;
/** Longest that a search without its index may take, in milliseconds. */
const PATIENCE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * Search of the audit ledger over HTTP: each filter alone and what people put together, with values that are common, rare,
 * gone and unknown, the first page and deep ones. The floor is a route that looks nothing up: authentication, and the event
 * of the answer. Beside a filter: the same rows asked for by SQL with the filter's index dropped.
 */
export default async function (row) {
  if (KEPT) mkdirSync(KEPT, { recursive: true });
  const product = await startProduct(KEPT);
  const admin = new pg.Pool({ connectionString: product.adminUrl, max: 2 });
  const organizationId = await filled(product, admin);
  const apiKey = await asOperator(product.workerUrl, (organizations) =>
    organizations.createApiKey({ organizationId, name: 'bench', role: 'auditor', scopes: ['audit:read'] }),
  );
  const { rows } = await admin.query('SELECT count(*) AS events FROM audit_event');
  const known = await sample(admin, organizationId);
  const headers = { authorization: `Bearer ${apiKey}` };
  const measure = async (pathOf, base = '/api/v1/audit/events') => {
    const taken = [];
    for (let call = 0; call < CALLS + 10; call++) {
      const begun = performance.now();
      const answer = await fetch(`${product.baseUrl}${base}${pathOf()}`, { headers });
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`${pathOf()}: ${answer.status} ${text}`);
      if (call >= 10) taken.push(performance.now() - begun); // the first ones are slow: nothing is compiled
    }
    return percentiles(taken);
  };
  const figure = ({ p50, p95, max }) =>
    `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, max ${max.toFixed(1)} ms${p95 < GOAL_MS ? '' : `, MISSES the goal of ${GOAL_MS}`}`;

  const floor = await measure(() => '/test-token', '');
  const byId = await measure(() => `/${pick(known).id}`);
  row({
    what: `one of ${Number(rows[0].events).toLocaleString('en')} events by its id`,
    figure: figure(byId),
    baseline: `floor ${figure(floor)}`,
    ratio: `${times(byId.p95 / floor.p95)} of the floor`,
  });
  for (const [what, queryOf, index] of searches(known)) {
    const search = await measure(() => `?${new URLSearchParams(queryOf()).toString()}`);
    const without = index && (await withoutIndex(admin, organizationId, queryOf(), index));
    const pages = await pagesOf(admin, organizationId, queryOf);
    row({
      what,
      figure: `${figure(search)}; at most ${pages} pages`,
      baseline: index ? `without ${index} ${without}` : `floor p95 ${floor.p95.toFixed(1)} ms`,
      ratio: `${times(search.p95 / floor.p95)} of the floor`,
    });
  }
  const insert = await insertRates(admin);
  row({
    what: 'events inserted by SQL, 5,000 a statement, with all indexes',
    figure: `${Math.round(insert.with).toLocaleString('en')}/s`,
    baseline: `without the search's ${Math.round(insert.without).toLocaleString('en')}/s`,
    ratio: times(insert.with / insert.without),
  });
  await admin.end();
  await product.close();
}

/** The organization that is asked; its ledger is filled unless that was done before. */
async function filled(product, admin) {
  const note = KEPT && path.join(KEPT, 'ledger.json');
  if (note && existsSync(note)) return JSON.parse(readFileSync(note, 'utf8')).organizationId;
  const organizationId = await asOperator(product.workerUrl, (organizations) =>
    organizations.createOrganization('Audit bench'),
  );
  await fillLedger(admin, organizationId, EVENTS);
  if (note) writeFileSync(note, JSON.stringify({ organizationId }));
  return organizationId;
}

/** Events of the organization, from everywhere. */
async function sample(admin, organizationId) {
  const { rows } = await admin.query(
    `SELECT * FROM audit_event TABLESAMPLE SYSTEM (0.05) WHERE organization_id = $1 AND actor_id <> 'left' LIMIT 3000`,
    [organizationId],
  );
  return rows;
}

/** What is searched for: its name, a query, and the index of its filter. */
function searches(known) {
  const ranked = (column) => {
    const counts = new Map();
    for (const { [column]: value } of known) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts].sort(([, a], [, b]) => b - a).map(([value]) => value);
  };
  const [actors, actions, types] = [ranked('actor_id'), ranked('action'), ranked('resource_type')];
  const any = (column) => pick(known.filter(({ [column]: value }) => value !== null))[column];
  const deep = () => {
    const { occurred_at: at, id } = pick(known);
    return { cursor: Buffer.from(JSON.stringify([at.toISOString(), id])).toString('base64url') };
  };
  const week = () => {
    const from = pick(known).occurred_at;
    return { from: from.toISOString(), to: new Date(from.getTime() + 7 * DAY_MS).toISOString() };
  };
  const common = (values) => pick(values.slice(0, 3));
  const rare = (values) => pick(values.slice(-3));
  const one = () => pick(known);
  return [
    ['everything, first page', () => ({})],
    ['everything, pages of 100', () => ({ limit: '100' })],
    ['everything, somewhere deep', deep],
    ['a week', week],
    ['actor, one of the busiest', () => ({ actor_id: common(actors) }), 'audit_event_actor'],
    ['actor, one of the quietest', () => ({ actor_id: rare(actors) })],
    ['actor, a week', () => ({ actor_id: pick(actors), ...week() })],
    ['actor who left', () => ({ actor_id: 'left' }), 'audit_event_actor'],
    ['actor, deep', () => ({ actor_id: pick(actors), ...deep() })],
    ['kind of actor', () => ({ actor_kind: pick(['client', 'api_key', 'user']) })],
    ['kind of actor, none of it', () => ({ actor_kind: 'anonymous' }), 'audit_event_actor_kind'],
    ['action, common', () => ({ action: common(actions) })],
    ['action, rare', () => ({ action: rare(actions) })],
    ['action, rare, deep', () => ({ action: rare(actions), ...deep() })],
    ['action that never was', () => ({ action: 'none:ever' }), 'audit_event_action'],
    ['denied', () => ({ outcome: 'denied' }), 'audit_event_unsuccessful'],
    ['failed, deep', () => ({ outcome: 'failure', ...deep() })],
    ['success', () => ({ outcome: 'success' })],
    ['denied of a common action', () => ({ outcome: 'denied', action: common(actions) })],
    [
      'failed of a rare action',
      () => ({ outcome: 'failure', action: rare(actions) }),
      'audit_event_unsuccessful_action',
    ],
    ['denied of an actor', () => ({ outcome: 'denied', actor_id: pick(actors) })],
    ['actor and action', () => ({ actor_id: pick(actors), action: pick(actions) })],
    ['actor and action, a week', () => ({ actor_id: pick(actors), action: pick(actions), ...week() })],
    [
      'resource by type and id',
      () => (({ resource_type, resource_id }) => ({ resource_type, resource_id }))(one()),
      'audit_event_resource',
    ],
    ['resource by id', () => ({ resource_id: one().resource_id })],
    ['type of resource, common', () => ({ resource_type: common(types) })],
    ['type of resource, none of it', () => ({ resource_type: 'AuditHold' }), 'audit_event_resource_type'],
    ['patient', () => ({ patient: any('patient_ref') }), 'audit_event_patient'],
    ['study', () => ({ study: any('study_ref') }), 'audit_event_study'],
    ['request', () => ({ request_id: one().request_id }), 'audit_event_request'],
    ['request that never was', () => ({ request_id: randomUUID() })],
  ];
}

const COLUMNS = { patient: 'patient_ref', study: 'study_ref' };

/** A search as SQL, of the form the API asks in. */
function sqlOf(organizationId, { from, to, cursor, limit = 20, ...filter }) {
  const [at, id] = cursor ? JSON.parse(Buffer.from(cursor, 'base64url').toString()) : [];
  const conditions = [
    ['organization_id =', organizationId],
    ...Object.entries(filter).map(([name, value]) => [`${COLUMNS[name] ?? name} =`, value]),
    ...(from ? [['occurred_at >=', from]] : []),
    ...(to ? [['occurred_at <', to]] : []),
    ...(cursor ? [['occurred_at <=', at]] : []),
  ].map(([condition, value]) => `${condition} ${pg.escapeLiteral(value)}`);
  if (cursor) conditions.push(`(occurred_at < ${pg.escapeLiteral(at)} OR id < ${pg.escapeLiteral(id)})`);
  return `SELECT * FROM audit_event WHERE ${conditions.join(' AND ')}
          ORDER BY occurred_at DESC, id DESC LIMIT ${Number(limit) + 1}`;
}

/** Most pages of 8 KB that one of ten searches touches: what it costs, whatever else the machine does. */
async function pagesOf(admin, organizationId, queryOf) {
  const touched = [];
  for (let search = 0; search < 10; search++) {
    const { rows } = await admin.query(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sqlOf(organizationId, queryOf())}`,
    );
    const { Plan: plan } = rows[0]['QUERY PLAN'][0];
    touched.push(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']);
  }
  return Math.max(...touched);
}

/** Milliseconds of one search by SQL while an index is dropped, in a transaction that is rolled back. */
async function withoutIndex(admin, organizationId, query, index) {
  const client = await admin.connect();
  try {
    await client.query(`BEGIN; SET LOCAL statement_timeout = ${PATIENCE_MS}; DROP INDEX ${index}`);
    const begun = performance.now();
    await client.query(sqlOf(organizationId, query));
    return `${(performance.now() - begun).toFixed(0)} ms`;
  } catch (error) {
    if (error.code !== '57014') throw error;
    return `more than ${PATIENCE_MS / 1000} s`;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

function percentiles(taken) {
  const sorted = taken.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p95: at(0.95), max: sorted.at(-1) };
}

const pick = (values) => values[Math.floor(Math.random() * values.length)];
