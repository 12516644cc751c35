import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as elapsed } from 'node:timers/promises';
import pg from 'pg';
import { AuditService } from '../../dist/modules/audit/audit.service.js';
import { Clock } from '../../dist/platform/clock/clock.js';
import { parseConfig } from '../../dist/platform/config/config.schema.js';
import { DatabaseService } from '../../dist/platform/database/database.service.js';
import { asOperator } from '../../dist/operator.js';
import { rate, startProduct } from './stack.mjs';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 60);
const GOAL = 5_000;
const ORGANIZATIONS = 8;
const TICK_MS = 10;
/** Events that are under way when as many are written as there can be. */
const PARALLEL = 512;
const TICKS_PER_SECOND = 100; // of the kernel's clock, in /proc

/**
 * Events written as reads are told of (each waits for its commit, those of one organization at a time share it), while a
 * worker seals what is written, every second; beside the same statements into the same table, with its indexes, whose rows
 * are queued for no seal.
 */
export default async function (row) {
  const product = await startProduct();
  const admin = new pg.Pool({ connectionString: product.adminUrl, max: 2 });
  const config = parseConfig({ ...product.environment, PORT: '0', LOG_LEVEL: 'silent' });
  const database = new DatabaseService(config);
  const audit = new AuditService(database, new Clock());
  const tenants = await asOperator(product.workerUrl, async (organizations) => {
    const ids = [];
    for (let index = 0; index < ORGANIZATIONS; index++)
      ids.push(await organizations.createOrganization('Bench'));
    return ids;
  });
  const write = () => audit.append(eventOf(tenants[Math.floor(Math.random() * ORGANIZATIONS)]));
  const queue = (state) => admin.query(`ALTER TABLE audit_event ${state} TRIGGER audit_event_await_seal`);

  await queue('DISABLE');
  const plain = await flatOut(write, SECONDS / 4);
  await queue('ENABLE');
  const sealing = { AUDIT_SEAL_INTERVAL_MS: '1000', RECONCILE_INTERVAL_MS: '200' };
  const worker = await product.startWorker([], sealing);
  const sealed = await flatOut(write, SECONDS / 4);
  await everySealed(admin);

  const postgres = await postmasterOf(admin);
  const before = { ours: process.cpuUsage(), worker: cpuOf(worker.pid), postgres: cpuBelow(postgres) };
  const steady = await steadily(write, SECONDS);
  const begun = performance.now();
  await everySealed(admin);
  const late = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(before.ours);
  const cores = (seconds) => `${(seconds / SECONDS).toFixed(2)} cores`;
  const per = (seconds) => `${((seconds / steady.written) * 1e6).toFixed(0)} us`;
  const cpu = {
    writing: (user + system) / 1e6,
    sealing: cpuOf(worker.pid) - before.worker,
    postgres: cpuBelow(postgres) - before.postgres,
  };
  row({
    what: `audit events written and sealed, ${rate(GOAL)} for ${SECONDS} s, ${ORGANIZATIONS} organizations`,
    figure: `${rate(steady.rate)}${steady.rate < GOAL * 0.98 ? `, MISSES the goal of ${GOAL}` : ''}, p99 ${steady.p99.toFixed(0)} ms; the last was sealed ${late.toFixed(1)} s later`,
    baseline: `of one core: writing ${cores(cpu.writing)} (${per(cpu.writing)} an event), sealing ${cores(cpu.sealing)} (${per(cpu.sealing)}), Postgres ${cores(cpu.postgres)} (${per(cpu.postgres)}); load ${loadavg()[0].toFixed(1)}`,
    ratio: `${(steady.rate / GOAL).toFixed(2)} x the goal`,
  });
  row({
    what: `as many as there can be, ${PARALLEL} at a time, while they are sealed`,
    figure: rate(sealed),
    baseline: `plain inserts into the same table ${rate(plain)}`,
    ratio: `${Math.round((sealed / plain) * 100)} %`,
  });
  await database.onApplicationShutdown();
  await admin.end();
  await product.close();
}

/** As a read of an exam is told of. */
const eventOf = (organizationId) => ({
  organizationId,
  actor: { kind: 'user', id: randomUUID(), label: 'staff' },
  action: 'exams:read',
  outcome: 'success',
  resource: { type: 'Exam', id: randomUUID() },
  patientRef: randomUUID(),
  scopes: ['exams:read', 'exams:write'],
  origin: {
    requestId: randomUUID(),
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    ip: '192.0.2.1',
    userAgent:
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36',
  },
});

/** Events a second. */
async function flatOut(write, seconds) {
  const begun = performance.now();
  let written = 0;
  const lane = async () => {
    for (; performance.now() - begun < seconds * 1000; written++) await write();
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
  return written / ((performance.now() - begun) / 1000);
}

/** So many a second, whether those before are done or not. */
async function steadily(write, seconds) {
  const [waits, under] = [[], new Set()];
  const begun = performance.now();
  for (let asked = 0; asked < GOAL * seconds;) {
    const due = Math.min(GOAL * seconds, Math.floor(((performance.now() - begun) / 1000) * GOAL));
    for (; asked < due; asked++) {
      const at = performance.now();
      const one = write().then(() => {
        waits.push(performance.now() - at);
        under.delete(one);
      });
      under.add(one);
    }
    await elapsed(TICK_MS);
  }
  await Promise.all(under);
  const took = (performance.now() - begun) / 1000;
  waits.sort((one, other) => one - other);
  return { written: waits.length, rate: waits.length / took, p99: waits[Math.floor(waits.length * 0.99)] };
}

async function everySealed(admin) {
  for (;;) {
    const { rows } = await admin.query('SELECT EXISTS (SELECT 1 FROM audit_unsealed) AS waiting');
    if (!rows[0].waiting) return;
    await elapsed(100);
  }
}

async function postmasterOf(admin) {
  const { rows } = await admin.query('SHOW data_directory');
  return Number(readFileSync(`${rows[0].data_directory}/postmaster.pid`, 'utf8').split('\n')[0]);
}

/** Fields of /proc/<pid>/stat after the name, which may hold blanks. */
const statOf = (pid) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');

/** Processor seconds of a process. */
const cpuOf = (pid) => (Number(statOf(pid)[11]) + Number(statOf(pid)[12])) / TICKS_PER_SECOND;

/** The same of a postmaster and all its children, those that have ended included. */
function cpuBelow(postmaster) {
  const own = statOf(postmaster);
  let seconds = [11, 12, 13, 14].reduce((sum, field) => sum + Number(own[field]), 0) / TICKS_PER_SECOND;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      if (Number(statOf(pid)[1]) === postmaster) seconds += cpuOf(pid);
    } catch {
      // it has ended meanwhile
    }
  return seconds;
}
