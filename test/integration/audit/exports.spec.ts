import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { canonicalForm } from '../../../src/modules/audit/audit.canonical.js';
import type { AuditRecord } from '../../../src/modules/audit/audit.events.js';
import { verifyExport } from '../../../src/modules/audit/verification/export-verifier.js';
import { readKeySet } from '../../../src/modules/audit/verification/key-set.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { parseCsv } from '../../support/csv.js';
import { Client, eventually } from '../../support/client.js';
import { findFaults, type Manifest, sealKeys } from '../../support/exported.js';
import { asSuperuser, loseForms } from '../../support/tampered-ledger.js';
import { plantEventsAt } from '../../support/past-events.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(180_000);

const EXPORTS = '/api/v1/audit/exports';
const MOST_A_DAY = 100;

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({
    AUDIT_SEAL_INTERVAL_MS: '86400000',
    RECONCILE_INTERVAL_MS: '300',
    RATE_LIMIT_PER_MINUTE: '100000',
  });
  worker = await world.startWorker();
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
}, 120_000);
afterAll(() => world.close());

const act = (who: Client, times: number) =>
  Promise.all(Array.from({ length: times }, () => who.get('/api/v1/exams')));
const seal = () => worker.get(SealerService, { strict: false }).seal();

interface Fetched {
  told: any;
  file: Buffer;
  manifestText: string;
  manifest: Manifest;
  faults: string[];
}

async function exported(by: Client, body: object): Promise<Fetched> {
  const asked = await by.post(EXPORTS, body);
  expect([asked.status, asked.body]).toEqual([202, { id: expect.any(String), state: 'queued' }]);
  const { body: told } = await eventually(
    () => by.get(`${EXPORTS}/${asked.body.id}`),
    (answer) => ['done', 'failed'].includes(answer.body.state),
    90_000,
  );
  expect(told).toMatchObject({ state: 'done', progress: 1, expires_in: 900 });
  const fetched = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());
  const file = await fetched(told.download_url);
  const manifestText = (await fetched(told.manifest_url)).toString();
  return { told, file, manifestText, ...findFaults(file, manifestText, await sealKeys(world)) };
}

/** What is sealed of an organization, in the order of its positions. */
async function ledgerOf({ organizationId }: Tenant): Promise<(AuditRecord & { position: number })[]> {
  const { rows } = await world.admin.query(
    `SELECT (t.first_position + n.place - 1)::int AS position, e.id, e.occurred_at AS "occurredAt", e.organization_id AS "organizationId",
            e.actor_kind AS "actorKind", e.actor_id AS "actorId", e.actor_label AS "actorLabel", e.action, e.outcome,
            e.resource_type AS "resourceType", e.resource_id AS "resourceId", e.patient_ref AS "patientRef",
            e.study_ref AS "studyRef", e.request_id AS "requestId", e.trace_id AS "traceId", e.ip, e.user_agent AS "userAgent",
            e.scopes, e.detail
     FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids) WITH ORDINALITY AS n(id, place) JOIN audit_event e USING (id)
     WHERE t.organization_id = $1 ORDER BY 1`,
    [organizationId],
  );
  return rows;
}

describe('an export', () => {
  it('as NDJSON is the canonical forms of all that is sealed, and proves it', async () => {
    await act(client, 30);
    await seal();
    await act(client, 20);
    await seal();
    const { told, file, manifest, faults } = await exported(client, { format: 'ndjson' });
    const ledger = await ledgerOf(tenant);
    expect(file.toString()).toBe(ledger.map((event) => `${canonicalForm(event)}\n`).join(''));
    expect(faults).toEqual([]);
    expect(manifest.statement).toMatchObject({
      id: told.id,
      organization: tenant.organizationId,
      format: 'ndjson',
      from: null,
      to: null,
      filters: {},
      complete: true,
      rows: ledger.length,
      first: 1,
      last: ledger.length,
    });
    expect(told).toMatchObject({ rows: ledger.length, bytes: file.length, complete: true });
  });

  it('as CSV has a line an event, with each of its values', async () => {
    await seal();
    const { file, faults } = await exported(client, { format: 'csv' });
    expect(faults).toEqual([]);
    const [head, ...lines] = parseCsv(file.toString());
    const ledger = await ledgerOf(tenant);
    expect(lines).toHaveLength(ledger.length);
    for (const [index, line] of lines.entries()) {
      const told = Object.fromEntries(head!.map((name, at) => [name, line[at]]));
      const event = ledger[index]!;
      expect(told).toMatchObject({
        position: String(event.position),
        id: event.id,
        time: event.occurredAt.toISOString(),
        action: event.action,
        actor_id: event.actorId ?? '',
        scopes: event.scopes.join(' '),
      });
      expect(JSON.parse(told.detail!)).toEqual(event.detail);
    }
  });

  it('as FHIR is one Bundle of AuditEvents', async () => {
    const { file, faults } = await exported(client, { format: 'fhir' });
    expect(faults).toEqual([]);
    const bundle = JSON.parse(file.toString());
    const ledger = await ledgerOf(tenant);
    expect([bundle.resourceType, bundle.type]).toEqual(['Bundle', 'collection']);
    expect(bundle.entry.map(({ resource }: any) => [resource.resourceType, resource.id])).toEqual(
      ledger.map(({ id }) => ['AuditEvent', id]),
    );
  });

  it('as DICOM is one XML document of audit messages', async () => {
    const { file, faults } = await exported(client, { format: 'dicom' });
    expect(faults).toEqual([]);
    expect(XMLValidator.validate(file.toString())).toBe(true);
    const document = new XMLParser({ ignoreAttributes: false }).parse(file.toString());
    const messages = document.AuditMessages.AuditMessage as any[];
    const ledger = await ledgerOf(tenant);
    expect(messages.map(({ EventIdentification }) => EventIdentification['@_EventDateTime'])).toEqual(
      ledger.map(({ occurredAt }) => occurredAt.toISOString()),
    );
  });
});

describe('an export of a part', () => {
  it('has events that were sealed late, by weeks too, where they were sealed', async () => {
    const late = await world.newTenant();
    const by = new Client(world.baseUrl, late.apiKey);
    const now = Date.now();
    const daysAgo = (days: number) => new Date(now - days * 86_400_000).toISOString();
    for (const days of [[3, 2, 1], [2.5, 1.5], [20, 0.5], [2.2]]) {
      await plantEventsAt(world.admin, late.organizationId, days.map(daysAgo));
      await seal();
    }
    for (const body of [
      { format: 'ndjson' },
      { format: 'ndjson', filters: { action: 'uploads:expire' } },
      { format: 'ndjson', from: daysAgo(2.1) },
    ] as { format: string; filters?: object; from?: string }[]) {
      const { file, faults } = await exported(by, body);
      const ledger = (await ledgerOf(late)).filter(
        ({ action, occurredAt }) =>
          (!body.filters || action === 'uploads:expire') && (!body.from || occurredAt >= new Date(body.from)),
      );
      expect(file.toString()).toBe(ledger.map((event) => `${canonicalForm(event)}\n`).join(''));
      expect(ledger.length).toBeGreaterThan(4);
      expect(faults).toEqual([]);
    }
  });

  it('by a filter holds what matches, and proves each of them', async () => {
    await new Client(world.baseUrl, tenant.apiKey).get('/api/v1/exams/01a22989-22be-7224-98ad-69a9560b654f');
    await act(client, 3);
    await seal();
    const filters = { action: 'exams:read', outcome: 'failure' };
    const { file, told, manifest, faults } = await exported(client, { format: 'ndjson', filters });
    expect(faults).toEqual([]);
    const wanted = (await ledgerOf(tenant)).filter(
      ({ action, outcome }) => action === 'exams:read' && outcome === 'failure',
    );
    expect(wanted.length).toBeGreaterThan(0);
    expect(file.toString()).toBe(wanted.map((event) => `${canonicalForm(event)}\n`).join(''));
    expect(told).toMatchObject({ complete: false, filters });
    expect(manifest.statement).toMatchObject({ complete: false, filters, rows: wanted.length });
  });

  it('that matches nothing is an empty file that says so', async () => {
    for (const format of ['ndjson', 'csv', 'fhir', 'dicom']) {
      const { manifest, faults, file } = await exported(client, { format, filters: { actor_id: 'nobody' } });
      expect([format, faults]).toEqual([format, []]);
      expect(manifest.statement).toMatchObject({ rows: 0, first: null, last: null });
      if (format === 'ndjson') expect(file).toHaveLength(0);
      if (format === 'fhir')
        expect(JSON.parse(file.toString())).toEqual({ resourceType: 'Bundle', type: 'collection' });
    }
  });

  it('by an interval holds what happened from its beginning and before its end', async () => {
    const ledger = await ledgerOf(tenant);
    const [from, to] = [ledger[10]!.occurredAt, ledger.at(-10)!.occurredAt];
    const { file, manifest, faults } = await exported(client, { format: 'ndjson', from, to });
    expect(faults).toEqual([]);
    const wanted = ledger.filter(({ occurredAt }) => occurredAt >= from && occurredAt < to);
    expect(file.toString()).toBe(wanted.map((event) => `${canonicalForm(event)}\n`).join(''));
    expect(manifest.statement).toMatchObject({ complete: true, rows: wanted.length });
  });
});

describe('the fast canonical form', () => {
  it('is the canonical form of events with whatever text Postgres can keep', async () => {
    const other = await world.newTenant();
    const texts = [
      '',
      '"\\/\b\f\n\r\t',
      '\u0001\u001f\u007f\u0080\u2028\ufeff',
      'é ß 漢字 😀 \u{10ffff}',
      "=1+1, it's",
      '%s $1',
    ];
    const details = [
      {},
      { b: 1, a: 2, aa: 3, A: [] },
      { '\ue000': 1, '😀': 2, z: { y: null, x: [1, { w: false, v: '"' }] } },
      { n: [0, -1, 1e15, 123456789012], ['__proto__']: 1, '': '' },
      ...texts.map((text) => ({ [text]: text })),
    ];
    for (const [index, detail] of details.entries())
      await world.admin.query(
        `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type,
           resource_id, patient_ref, study_ref, request_id, trace_id, ip, user_agent, scopes, detail)
         VALUES (gen_random_uuid(), $2, $1, $3, $3, $3, $3, $3, $4, $4, $3, $4, $3, $4, $3, $4, $5, $6)`,
        [
          other.organizationId,
          new Date(Date.now() - 1000 * index),
          texts[index % texts.length],
          index % 2 ? null : texts[(index + 1) % texts.length],
          index % 3 ? [texts[index % texts.length], 'b'] : [],
          JSON.stringify(detail),
        ],
      );
    await seal();
    const { file, faults } = await exported(new Client(world.baseUrl, other.apiKey), { format: 'ndjson' });
    expect(faults).toEqual([]);
    const ledger = await ledgerOf(other);
    expect(ledger.length).toBeGreaterThanOrEqual(details.length);
    expect(file.toString().split('\n').slice(0, -1)).toEqual(ledger.map(canonicalForm));
  });
});

describe('who asks', () => {
  const refused = async (body: object, by = client) => {
    const answer = await by.post(EXPORTS, body);
    return [answer.status, answer.body.code];
  };

  it('for what there is not is told what is wrong', async () => {
    const [now, later] = [new Date().toISOString(), new Date(Date.now() + 60_000).toISOString()];
    for (const body of [
      {},
      { format: 'pdf' },
      { format: 'csv', from: now, to: now },
      { format: 'csv', from: now, to: '2020-01-01T00:00:00Z' },
      { format: 'csv', from: later },
      { format: 'csv', to: later },
      { format: 'csv', from: 'yesterday' },
      { format: 'csv', filters: { colour: 'red' } },
      { format: 'csv', filters: { outcome: 'perhaps' } },
    ])
      expect([body, await refused(body)]).toEqual([body, [400, 'validation_error']]);
  });

  it('needs the scope, and asks for one’s own', async () => {
    const reader = await world.organizations.createApiKey({
      organizationId: tenant.organizationId,
      name: 'reader',
      role: 'owner',
      scopes: ['audit:read'],
    });
    const [{ status }, listed] = [
      await new Client(world.baseUrl, reader).post(EXPORTS, { format: 'csv' }),
      await client.get(EXPORTS),
    ];
    expect(status).toBe(403);
    const other = new Client(world.baseUrl, (await world.newTenant()).apiKey);
    expect((await other.get(`${EXPORTS}/${listed.body.items[0].id}`)).status).toBe(404);
    expect((await other.get(EXPORTS)).body.items).toEqual([]);
    expect(listed.body.items[0]).not.toHaveProperty('download_url');
  });

  it('twice with one key gets one, and a fourth at a time none', async () => {
    const other = await world.newTenant(); // nothing of it is sealed: its exports wait
    const by = new Client(world.baseUrl, other.apiKey);
    const ask = (key: string) => by.post(EXPORTS, { format: 'csv' }, { 'idempotency-key': key });
    const [first, again] = [await ask('a'), await ask('a')];
    expect(again.body.id).toBe(first.body.id);
    await Promise.all([ask('b'), ask('c')]);
    expect(await refused({ format: 'csv' }, by)).toEqual([409, 'too_many_exports']);
  });

  it('is refused when its organization has asked for as many within a day, until the oldest of them is older', async () => {
    const [mine, others] = [await world.newTenant(), await world.newTenant()];
    const by = new Client(world.baseUrl, mine.apiKey);
    const ask = (key: string, of = by) => of.post(EXPORTS, { format: 'csv' }, { 'idempotency-key': key });
    const first = await ask('first');
    // Finished, ten minutes apart, up to now; and as many again that retention has asked for.
    const planted = (kind: string, count: number, newest: number) =>
      world.admin.query(
        `INSERT INTO audit_export (organization_id, id, format, filters, state, requested_by_kind, requested_by_id,
                                   created_at, progressed_at, finished_at, failure)
         SELECT $1, gen_random_uuid(), 'csv', '{}', 'failed', $2, gen_random_uuid(), at, at, at, 'month_retired'
         FROM generate_series(1, $3) AS n, LATERAL (SELECT $4::timestamptz - n * interval '10 minutes') AS t (at)`,
        [mine.organizationId, kind, count, new Date(newest)],
      );
    const now = Date.now();
    await planted('user', MOST_A_DAY - 2, now);
    await planted('system', MOST_A_DAY, now);
    expect((await ask('last')).status).toBe(202);
    const refusal = await ask('one-more');
    expect([refusal.status, refusal.body.code]).toEqual([429, 'export_quota']);
    const oldest = now - (MOST_A_DAY - 2) * 600_000;
    const wait = (oldest + 24 * 3600_000 - now) / 1000;
    expect(Math.abs(Number(refusal.headers.get('retry-after')) - wait)).toBeLessThan(60);
    expect((await ask('first')).body.id).toBe(first.body.id);
    expect((await ask('theirs', new Client(world.baseUrl, others.apiKey))).status).toBe(202);
    await world.admin.query(
      `UPDATE audit_export SET created_at = created_at - interval '12 hours'
       WHERE organization_id = $1 AND requested_by_kind = 'user' AND created_at < $2`,
      [mine.organizationId, new Date(oldest + 1)],
    );
    expect((await ask('one-more')).status).toBe(202);
  });

  it('gets URLs of fifteen minutes that save a file by its interval', async () => {
    const { told } = await exported(client, { format: 'ndjson', to: '2026-01-02T03:04:05.006Z' });
    for (const [url, name] of [
      [told.download_url, 'audit-start-20260102T030405Z.ndjson'],
      [told.manifest_url, 'audit-start-20260102T030405Z.manifest.ndjson'],
    ]) {
      const query = new URL(url).searchParams;
      expect(query.get('X-Amz-Expires')).toBe('900');
      expect((await fetch(url)).headers.get('content-disposition')).toBe(`attachment; filename="${name}"`);
    }
  });
});

describe('an export that was taken home', () => {
  it.each([{}, { action: 'exams:list' }])(
    '%j names the first event that is not as it was sealed',
    async (filters) => {
      const { file, manifestText, told } = await exported(client, { format: 'ndjson', filters });
      const { keys } = (await client.get('/api/v1/audit/keys')).body;
      const trusted = await readKeySet(JSON.stringify({ keys }));
      const verify = (lines: string[]) =>
        verifyExport(
          {
            events: Readable.from([Buffer.from(lines.join(''))]),
            manifest: Readable.from([Buffer.from(manifestText)]),
          },
          trusted,
        );
      const lines = file.toString().split(/(?<=\n)/);
      expect(lines.length).toBeGreaterThan(20);
      expect(await verify(lines)).toMatchObject({ valid: true, events: told.rows });

      const at = 13;
      const { id } = JSON.parse(lines[at]!);
      const position = (await ledgerOf(tenant)).find((event) => event.id === id)!.position;
      const altered = lines[at]!.replace('"success"', '"failure"');
      expect(altered).not.toBe(lines[at]);
      for (const [code, forged] of [
        ['altered', lines.with(at, altered)],
        ['removed', lines.toSpliced(at, 1)],
        ['added', lines.toSpliced(at, 0, altered)],
        ['reordered', lines.with(at, lines[at + 1]!).with(at + 1, lines[at]!)],
        ['truncated', lines.slice(0, at)],
      ] as const)
        expect(await verify(forged)).toMatchObject({
          valid: false,
          first_bad: { seq: position, why: expect.stringMatching(new RegExp(`^${code}:`)) },
        });
    },
  );
});

describe('the ledger', () => {
  const eventsAbout = async (id: string) =>
    (
      await world.admin.query(
        'SELECT action, outcome, actor_kind, detail FROM audit_event WHERE resource_id = $1 ORDER BY occurred_at, id',
        [id],
      )
    ).rows;

  it('has who asked, who was given URLs, and how it ended; and no value of a filter', async () => {
    const filters = { actor_id: 'somebody-secret' };
    const { told } = await exported(client, { format: 'csv', filters });
    const events = await eventsAbout(told.id);
    expect(events[0]).toMatchObject({
      action: 'audit:create-export',
      detail: { format: 'csv', interval: [], filters: ['actor_id'], replayed: false },
    });
    expect(events.find(({ action }) => action === 'audit:export-finished')).toMatchObject({
      outcome: 'success',
      actor_kind: 'system',
      detail: { export: told.id, format: 'csv', rows: 0, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(events.at(-1)).toMatchObject({ action: 'audit:read-export', outcome: 'success' });
    expect(JSON.stringify(events)).not.toContain('somebody-secret');
  });

  it('is exported of a time before its first seal, too: nothing of it, and proven', async () => {
    await seal();
    const before = { format: 'ndjson', from: '2020-01-01T00:00:00Z', to: '2020-02-01T00:00:00Z' };
    const { told, file, faults, manifest } = await exported(client, before);
    expect([told.rows, told.complete, file.length, faults]).toEqual([0, true, 0, []]);
    expect(manifest.statement).toMatchObject({ complete: true, rows: 0, first: null, last: null });
  });

  it('that has lost a sealed event is not exported as if it had not', async () => {
    const other = await world.newTenant();
    const by = new Client(world.baseUrl, other.apiKey);
    await act(by, 5);
    await seal();
    const [, , third] = await ledgerOf(other);
    await asSuperuser(world.admin, async (admin) => {
      await admin.query('DELETE FROM audit_event WHERE id = $1', [third!.id]);
      await loseForms(admin, other.organizationId);
    });
    const { id } = (await by.post(EXPORTS, { format: 'csv', filters: { action: 'exams:list' } })).body;
    const { body } = await eventually(
      () => by.get(`${EXPORTS}/${id}`),
      (answer) => answer.body.state === 'failed',
    );
    expect(body).toMatchObject({ failure: 'ledger_damaged', first_bad: { seq: 3 } });
    expect((await eventsAbout(id)).find(({ action }) => action === 'audit:export-finished')).toMatchObject({
      outcome: 'failure',
      detail: { code: 'ledger_damaged', first_bad: 3 },
    });
  });

  it('that says of a removed event that it is of another time is not exported as if it were', async () => {
    const other = await world.newTenant();
    const by = new Client(world.baseUrl, other.apiKey);
    await act(by, 5);
    const from = new Date(Date.now() - 3_600_000).toISOString();
    await seal();
    const third = (await ledgerOf(other))[2]!;
    const moved = (time: string) =>
      asSuperuser(world.admin, (client) =>
        client.query(
          `UPDATE audit_tree SET event_times[$2] = $3, first_time = $3 WHERE organization_id = $1 AND first_position = 1`,
          [other.organizationId, third.position, time],
        ),
      );
    const failed = async () => {
      const { id } = (await by.post(EXPORTS, { format: 'ndjson', from })).body;
      return (
        await eventually(
          () => by.get(`${EXPORTS}/${id}`),
          (answer) => ['done', 'failed'].includes(answer.body.state),
        )
      ).body;
    };
    await asSuperuser(world.admin, async (client) => {
      await client.query('DELETE FROM audit_event WHERE id = $1', [third.id]);
      await loseForms(client, other.organizationId);
    });
    await moved('1970-01-01');
    const damaged = { state: 'failed', failure: 'ledger_damaged', first_bad: { seq: third.position } };
    expect(await failed()).toMatchObject(damaged);
    // Nor with something else in its place.
    await asSuperuser(world.admin, (client) =>
      client.query(
        `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
         VALUES ($1, '1970-01-01', $2, 'system', 'x', 'success', '{}', '{}')`,
        [third.id, other.organizationId],
      ),
    );
    expect(await failed()).toMatchObject(damaged);
  });
});

it('an export that somebody else than a worker has begun is not gone on with', async () => {
  const source = (await exported(client, { format: 'ndjson' })).told;
  for (const forged of [
    `written = true, next_position = end_position`,
    `filters = '{"action": "none:ever"}', written = true`,
    `from_time = now(), written = true`,
    `progress_mac = NULL`,
  ]) {
    const id = randomUUID();
    await asSuperuser(world.admin, async (owner) => {
      await owner.query(
        `INSERT INTO audit_export SELECT (jsonb_populate_record(e, jsonb_build_object(
           'id', $2::text, 'state', 'running', 'finished_at', NULL, 'manifest_sha256', NULL, 'progressed_at', now() - interval '1 hour'))).*
         FROM audit_export e WHERE organization_id = $1 AND id = $3`,
        [tenant.organizationId, id, source.id],
      );
      await owner.query(`UPDATE audit_export SET ${forged} WHERE id = $1`, [id]);
    });
    const { body } = await eventually(
      () => client.get(`${EXPORTS}/${id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
    );
    expect({ forged, ...body }).toMatchObject({ forged, state: 'failed', failure: 'progress_forged' });
  }
});
