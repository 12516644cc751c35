import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { SealerService } from '../../dist/modules/audit/worker/sealer.service.js';
import { parseConfig } from '../../dist/platform/config/config.schema.js';
import { WorkerModule } from '../../dist/worker.module.js';
import { rate, startProduct, times } from './stack.mjs';

const EVENTS = Number(process.env.BENCH_EVENTS ?? 1_000_000);
/** The first ones meet a worker that is not warm yet; what is told is their median. */
const ROUNDS = 5;
/** Events of one insert. */
const STEP = 50_000;
const GOAL = 0.5;

/** The worker exports a million sealed events into the bucket; the baseline is COPY of the same rows by Postgres to a file. */
export default async function (row) {
  const product = await startProduct();
  const admin = new pg.Pool({ connectionString: product.adminUrl, max: 2 });
  try {
    product.environment.AUDIT_SEAL_INTERVAL_MS = '86400000'; // what is measured is all there is
    const organizationId = await organizationOf(product, admin);
    await fill(admin, organizationId);
    await seal(product);
    const worker = await product.startWorker();
    const copy = [];
    const figures = { ndjson: [], csv: [] };
    for (let round = 0; round < ROUNDS; round++) {
      copy.push(await copied(admin, organizationId));
      for (const format of ['ndjson', 'csv'])
        figures[format].push(await exported(product, admin, format, worker.pid));
    }
    const baseline = median(copy);
    for (const [format, measured] of Object.entries(figures)) {
      const rows = median(measured.map(({ rate: value }) => value));
      const growth = Math.max(...measured.map(({ growth: value }) => value));
      const missed = format === 'ndjson' && rows / baseline < GOAL ? `, MISSES the goal of ${GOAL} x` : '';
      row({
        what: `export ${EVENTS.toLocaleString('en')} sealed events as ${format}, with their manifest`,
        figure: `${rate(rows)}, worker +${growth} MiB${missed}`,
        baseline: `COPY to a file ${rate(baseline)}`,
        ratio: times(rows / baseline),
      });
    }
  } finally {
    await admin.end();
    await product.close();
  }
}

const median = (values) => values.toSorted((one, other) => one - other)[values.length >> 1];

async function call({ baseUrl, apiKey }, method, at, body) {
  const response = await fetch(baseUrl + at, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${at}: ${response.status}`);
  return response.json();
}

async function organizationOf(product, admin) {
  await call(product, 'GET', '/api/v1/me');
  const { rows } = await admin.query('SELECT id FROM organization ORDER BY created_at DESC LIMIT 1');
  return rows[0].id;
}

/** Rows a second from when it is asked for to when it can be fetched, and what the worker grew by, in MiB. */
async function exported(product, admin, format, pid) {
  const before = residentMiB(pid);
  const { id } = await call(product, 'POST', '/api/v1/audit/exports', { format });
  for (let peak = before; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    peak = Math.max(peak, residentMiB(pid));
    const { rows } = await admin.query(
      `SELECT state, failure, rows::float8 / extract(epoch FROM finished_at - created_at)::float8 AS rate
       FROM audit_export WHERE id = $1`,
      [id],
    );
    if (rows[0].state === 'failed') throw new Error(`the export failed: ${rows[0].failure}`);
    if (rows[0].state === 'done') return { rate: rows[0].rate, growth: peak - before };
  }
}

/** Events as an exam's life writes them: ids, addresses, agents, and details of several kinds. */
async function fill(admin, organizationId) {
  for (let from = 0; from < EVENTS; from += STEP)
    await admin.query(
      `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type,
                                resource_id, study_ref, request_id, trace_id, ip, user_agent, scopes, detail)
       SELECT overlay(overlay(gen_random_uuid()::text placing to_hex(7) from 15) placing lpad(to_hex(n), 8, '0') from 1)::uuid,
              date_trunc('month', now()) + n * interval '1 millisecond', $1, 'api_key', gen_random_uuid(), 'key of the archive',
              (ARRAY['exams:create', 'exams:read', 'studies:search', 'files:download'])[1 + n % 4],
              (ARRAY['success', 'success', 'success', 'denied'])[1 + n % 4], 'Exam', gen_random_uuid(),
              CASE WHEN n % 3 = 0 THEN gen_random_uuid()::text END, gen_random_uuid(), md5(n::text),
              '10.1.' || n % 250 || '.' || n % 199, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', '{exams:read,exams:write}',
              (ARRAY['{}', '{"status": 403, "code": "forbidden"}', '{}',
                     '{"files": ' || n % 40 || ', "replayed": false, "exam": "' || gen_random_uuid() || '"}'])[1 + n % 4]::jsonb
       FROM generate_series($2::int, $3::int) n`,
      [organizationId, from + 1, Math.min(from + STEP, EVENTS)],
    );
  await admin.query('VACUUM ANALYZE audit_event');
}

/** By the sealer; the one of the process's own chore may be at it as well, and waits are short. */
async function seal(product) {
  const config = parseConfig({ ...product.environment, DATABASE_URL: product.workerUrl });
  const application = await NestFactory.createApplicationContext(WorkerModule.with(config), {
    logger: false,
  });
  const sealer = application.get(SealerService, { strict: false });
  for (let sealed = false; !sealed;)
    sealed = await sealer.seal().then(
      () => true,
      ({ code }) => {
        if (code !== '55P03' && code !== '23505') throw new Error(`the sealer failed: ${code}`);
        return false;
      },
    );
  await application.close();
}

/** Rows a second of COPY by the server itself. */
async function copied(admin, organizationId) {
  const file = path.join(tmpdir(), `scandock-copy-${process.pid}`);
  const begun = performance.now();
  const { rowCount } = await admin.query(
    `COPY (SELECT * FROM audit_event WHERE organization_id = '${organizationId}') TO '${file}'`,
  );
  const seconds = (performance.now() - begun) / 1000;
  rmSync(file);
  return rowCount / seconds;
}

/** Of a process, in MiB. */
function residentMiB(pid) {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(kib) / 1024);
}
