import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BUILT_IN_ROLES } from '../../src/modules/access/built-in-roles.js';
import { newUid } from '../../src/demo/phantom.js';
import { PLATFORM_ORGANIZATION } from '../../src/platform/authorization/platform-organization.js';
import { newId } from '../../src/platform/database/id.js';
import type { Route } from '../../src/platform/http/route-table.js';
import { atOnce } from '../support/at-once.js';
import { type Answer, basic, Client, eventually, put, tokenFor } from '../support/client.js';
import type { Clinic } from '../support/clinic.js';
import { ctInstance } from '../support/dicom-files.js';
import { Hospital } from '../support/hospital.js';
import type { Portal } from '../support/portal.js';
import { FORM } from '../support/signing-client.js';
import type { Tenant, World } from '../support/world.js';
import { allCalls, CLINICAL } from './all-calls.js';
import { Surfaces } from './surfaces.js';

jest.setTimeout(120_000);

let surfaces: Surfaces;
let world: World;
let tenant: Tenant;
let client: Client;
let anonymous: Client;
let clinic: Clinic;
let portal: Portal;

/** Whose events are about something else than what the right to do it is on. */
const ABOUT_ANOTHER: Record<string, string> = {
  'results:deliver': 'Result',
  'attachments:list': 'PatientCase',
  'shares:download': 'Upload',
  'audit:report-access': 'PatientCase',
  'audit:report-disclosures': 'PatientCase',
};

const CALLS = allCalls(() => surfaces);
/** Each its own. */
const given = () => surfaces.sharedExam();

beforeAll(async () => {
  surfaces = await Surfaces.open();
  ({ world, tenant, client, anonymous, clinic, portal } = surfaces);
});
afterAll(() => surfaces.close());

interface Event {
  organization_id: string;
  actor_kind: string;
  actor_id: string | null;
  action: string;
  outcome: string;
  resource_type: string | null;
  resource_id: string | null;
  patient_ref: string | null;
  ip: string | null;
  trace_id: string | null;
  detail: Record<string, unknown>;
}

async function eventsOf(answer: Answer): Promise<Event[]> {
  const { rows } = await world.admin.query<Event>(
    'SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id',
    [answer.headers.get('x-request-id')],
  );
  return rows;
}

const routeOf = (method: string, path: string): Route =>
  world.api.routes.find((route) => route.method === method && route.path === path)!;

/** Where staff comes in; who links an identity there is signed in. */
const isStaffs = (path: string): boolean => path.startsWith('/api/v1/staff/');
const isLinking = (path: string): boolean => path.startsWith('/api/v1/staff/auth/oidc/link');

const audited = (): Route[] => world.api.routes.filter(({ operation }) => operation.audited !== 'never');
const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

/** What is done before anybody knows by whom. */
const OF_STRANGERS = ['sign-in:send-code', 'sign-in:start-oidc'];
/** What the events of one change differ in, where two ledgers tell of it. */
const OF_ANOTHER_LEDGER = {
  id: expect.any(String),
  organization_id: expect.any(String),
  occurred_at: expect.any(Date),
};

/** Clinical reads and writes that are not about one patient. */
const OF_NOBODY = ['cases:list', 'documents:list'];

describe('every audited route', () => {
  it('is called below', () => {
    expect(audited().map(nameOf).sort()).toEqual(Object.keys(CALLS).sort());
  });

  it.each(Object.keys(CALLS))('%s: success', async (name) => {
    const answer = await CALLS[name]!.success(given, client);
    expect(answer.status).toBeLessThan(400);
    const [method, path] = name.split(' ') as [string, string];
    const { operation, portal: ofPortal } = routeOf(method, path);
    const isBucket = path === '/internal/storage-events'; // what it tells of is what happens
    const action = isBucket ? 'uploads:land' : operation.name;
    const ledger = operation.platform ? PLATFORM_ORGANIZATION : tenant.organizationId;
    const own = (await eventsOf(answer)).filter((event) => event.action === action);
    // What the platform's owner does to a tenant is in the tenant's ledger, too.
    const [told, ...more] = own.filter((event) => event.organization_id === ledger);
    const others = own.filter((event) => event.organization_id !== ledger);
    if (operation.platform && operation.audited === 'transaction')
      expect(others).toEqual([{ ...told, ...OF_ANOTHER_LEDGER }]);
    else expect(others).toEqual([]);
    expect(more).toEqual([]);
    expect(told).toMatchObject({
      organization_id: ledger,
      outcome: 'success',
      resource_type: ABOUT_ANOTHER[action] ?? operation.subject,
      actor_kind: isBucket
        ? 'system'
        : path.startsWith('/share') || path.startsWith('/viewer')
          ? 'share_link'
          : OF_STRANGERS.includes(action)
            ? 'anonymous'
            : ofPortal || isStaffs(path)
              ? 'user'
              : expect.stringMatching(/^(client|api_key)$/),
      actor_id: OF_STRANGERS.includes(action)
        ? null
        : isBucket
          ? 'bucket'
          : expect.stringMatching(/^[0-9a-f-]{36}$/),
      patient_ref:
        CLINICAL.includes(name) && !OF_NOBODY.includes(action)
          ? expect.stringMatching(/^[0-9a-f-]{36}$/)
          : null,
      ip: expect.stringMatching(/127\.0\.0\.1$/),
      trace_id: answer.headers.get('traceparent')!.split('-')[1],
    });
  });

  it.each(Object.keys(CALLS))('%s: failure', async (name) => {
    const answer = await CALLS[name]!.failure(given, client);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const [method, path] = name.split(' ') as [string, string];
    const { operation, portal: ofPortal } = routeOf(method, path);
    const events = await eventsOf(answer);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      action: operation.name,
      outcome: [401, 403].includes(answer.status) ? 'denied' : 'failure',
      detail: { status: answer.status, code: expect.stringMatching(/^[a-z_]+$/) },
    });
    const known =
      !['/auth', '/oauth2', '/internal'].some((part) => path.startsWith(part)) &&
      name !== 'GET /test-token' &&
      (!isStaffs(path) || isLinking(path));
    const knownLink = name === 'GET /share/:token/files/:id';
    const anybody = path.startsWith('/share') || path.startsWith('/viewer');
    expect(events[0]!.organization_id).toBe(
      ((known && !anybody) || knownLink) && !operation.platform
        ? tenant.organizationId
        : PLATFORM_ORGANIZATION,
    );
    const ofPortals = path.includes('/users/auth/') ? 'anonymous' : 'user';
    expect(events[0]!.actor_kind).toBe(
      isLinking(path)
        ? 'user'
        : operation.platform
          ? 'client'
          : ofPortal
            ? ofPortals
            : knownLink
              ? 'share_link'
              : known && !anybody
                ? 'api_key'
                : 'anonymous',
    );
  });

  const closed = (): Route[] => audited().filter((route) => !route.public);
  /** With the key of the portal, where one is needed. */
  const ask = (by: Client, { method, path, portal: ofPortal }: Route): Promise<Answer> =>
    by.call(
      method,
      path.replace(':identity_id', newId()).replace(':id', newId()).replace(':uid', newUid()),
      ['POST', 'PATCH'].includes(method) ? {} : undefined,
      ofPortal ? { 'cv-api-key': portal.apiKey } : {},
    );
  /** Whose ledger a stranger's call is in: a portal's key says of which organization it is. */
  const ledgerOf = (route: Route): string => (route.portal ? tenant.organizationId : PLATFORM_ORGANIZATION);

  it('without a credential: denied, in the platform’s ledger or the portal’s', async () => {
    await atOnce(closed(), async (route) => {
      const answer = await ask(anonymous, route);
      expect({ route: nameOf(route), status: answer.status }).toEqual({ route: nameOf(route), status: 401 });
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          action: route.operation.name,
          outcome: 'denied',
          organization_id: ledgerOf(route),
          actor_kind: 'anonymous',
          actor_id: null,
        }),
      ]);
    });
  });

  it('by HTTP Basic: a credential where the table says so; elsewhere denied, in the platform’s ledger', async () => {
    const authorization = basic(tenant.clientId, tenant.clientSecret);
    await atOnce(closed(), async (route) => {
      const path = route.path
        .replace(':identity_id', newId())
        .replace(':id', newId())
        .replace(':uid', newUid());
      const headers = { authorization, 'cv-api-key': portal.apiKey };
      const answer = await anonymous.call(route.method, path, undefined, headers);
      const [event] = await eventsOf(answer);
      expect({ route: nameOf(route), denied: answer.status === 401, actor: event!.actor_kind }).toEqual({
        route: nameOf(route),
        denied: !route.basic,
        actor: route.basic ? 'client' : 'anonymous',
      });
      expect(event!.organization_id).toBe(route.basic ? tenant.organizationId : ledgerOf(route));
    });
  });

  it('of a portal, without its key: a failure, in the platform’s ledger', async () => {
    const { patient } = await clinic.admit();
    const routes = audited().filter((route) => route.portal);
    expect(routes.length).toBeGreaterThanOrEqual(10);
    await atOnce(routes, async (route) => {
      const answer = await patient.call(route.method, route.path, undefined, { 'cv-api-key': '' });
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          action: route.operation.name,
          outcome: 'failure',
          organization_id: PLATFORM_ORGANIZATION,
          actor_kind: 'anonymous',
          detail: { status: 400, code: 'validation_error' },
        }),
      ]);
    });
  });

  it('of a portal, by a client or an API key: denied, in the portal’s ledger', async () => {
    const accessToken = await tokenFor(world.baseUrl, tenant);
    for (const token of [accessToken, tenant.apiKey, portal.apiKey])
      await atOnce(
        closed().filter((each) => each.portal),
        async (route) => {
          const answer = await ask(new Client(world.baseUrl, token), route);
          expect({ route: nameOf(route), status: answer.status }).toEqual({
            route: nameOf(route),
            status: 401,
          });
          expect(await eventsOf(answer)).toEqual([
            expect.objectContaining({
              action: route.operation.name,
              outcome: 'denied',
              organization_id: tenant.organizationId,
              actor_kind: 'anonymous',
            }),
          ]);
        },
      );
  });

  it('of anybody but patients, by a patient: denied, in the organization’s ledger', async () => {
    const { patient } = await clinic.admit();
    const own = BUILT_IN_ROLES.patient!.flatMap(({ operations }) => operations);
    const refused = closed().filter(({ operation }) => !own.includes(operation.name));
    expect(refused.length).toBeGreaterThanOrEqual(40);
    await atOnce(refused, async (route) => {
      const answer = await ask(patient, route);
      expect({ route: nameOf(route), status: answer.status }).toEqual({ route: nameOf(route), status: 403 });
      const isOfFiles = route.operation.scope?.startsWith('files:') ?? true;
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          action: route.operation.name,
          outcome: 'denied',
          organization_id: tenant.organizationId,
          actor_kind: 'user',
          actor_id: patient.id,
          detail: { status: 403, code: isOfFiles ? 'forbidden' : 'insufficient_scope' },
        }),
      ]);
    });
  });

  it('without the scope, and without a role that allows it: denied, in the organization’s ledger', async () => {
    for (const [role, scopes, codes] of [
      ['owner', [], ['insufficient_scope']],
      ['reader', undefined, ['forbidden']],
    ] as const) {
      const weak = await world.newTenant(role, scopes);
      for (const kind of ['client', 'api_key'] as const) {
        const by = new Client(
          world.baseUrl,
          kind === 'client' ? await tokenFor(world.baseUrl, weak) : weak.apiKey,
        );
        const ofStaff = closed().filter((route) => !route.portal);
        const refused = ofStaff.filter(({ operation }) =>
          role === 'owner'
            ? operation.scope
            : !BUILT_IN_ROLES.reader!.some(({ operations }) => operations.includes(operation.name)),
        );
        expect(refused.length).toBeGreaterThanOrEqual(12);
        await atOnce(refused, async (route) => {
          const answer = await ask(by, route);
          expect({ route: nameOf(route), status: answer.status }).toEqual({
            route: nameOf(route),
            status: 403,
          });
          const [event, ...more] = await eventsOf(answer);
          expect(more).toEqual([]);
          expect(event).toMatchObject({
            action: route.operation.name,
            outcome: 'denied',
            organization_id: weak.organizationId,
            actor_kind: kind,
            actor_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
            detail: { status: 403, code: codes[0] },
          });
        });
      }
    }
  });

  it('names the order that was asked for, wherever it stood, and never a study', async () => {
    const [order, uid] = [newId(), newUid()];
    const answers: [Answer, object][] = [
      [
        await client.get(`/status?order_id=${order.toUpperCase()}`),
        { resource_type: 'Order', resource_id: order },
      ],
      [await client.get(`/upload?order_id=${order}`), { resource_type: 'Order', resource_id: order }],
      [await client.post('/upload', { order_id: order }), { resource_type: 'Order', resource_id: order }],
      [await client.get('/upload?order_id=Zebulon'), { resource_type: 'Upload', resource_id: null }],
      [await client.get(`/status?study_uid=${uid}`), { resource_type: 'Order', resource_id: null }],
      [
        await client.get(`/status?order_id=${order}&order_id=Zebulon`),
        { resource_type: 'Order', resource_id: null },
      ],
      [await client.get(`/studies/${uid}`), { resource_type: 'Study', resource_id: null }],
      [await client.get(`/uploads/${order}`), { resource_type: 'Upload', resource_id: order }],
    ];
    for (const [answer, resource] of answers) {
      const [event] = await eventsOf(answer);
      expect(event).toMatchObject({ outcome: 'failure', ...resource });
      expect(JSON.stringify(event)).not.toMatch(new RegExp(`${uid}|Zebulon`));
    }
  });

  it('is told of what was read of an order in a list or a report', async () => {
    const order = await new Hospital(world.baseUrl, tenant.apiKey).newOrder();
    for (const path of [
      `/status?order_id=${order}`,
      `/failure-report?order_id=${order}`,
      `/results?order_id=${order}`,
    ])
      expect(await eventsOf(await client.get(path))).toEqual([
        expect.objectContaining({
          outcome: 'success',
          resource_type: 'Order',
          resource_id: order,
          detail: {},
        }),
      ]);
  });

  it('is not told of an order that a route does not take: nobody writes into the ledger what they like', async () => {
    const order = newId();
    const answers: [Answer, object][] = [
      [
        await client.get(`/api/v1/audit/keys?order_id=${order}`),
        { outcome: 'success', resource_type: 'AuditSeal', resource_id: null },
      ],
      [
        await client.get(`/api/v1/exams?order_id=${order}`),
        { outcome: 'failure', resource_type: 'Exam', resource_id: null },
      ],
      [
        await client.post('/api/v1/audit/verify', { order_id: order }),
        { outcome: 'failure', resource_type: 'AuditSeal', resource_id: null },
      ],
    ];
    for (const [answer, expected] of answers) {
      const [event] = await eventsOf(answer);
      expect(event).toMatchObject(expected);
      expect(JSON.stringify(event)).not.toContain(order);
    }
    const takes = ({ declares }: Route) => declares.query.has('order_id') || declares.body.has('order_id');
    expect(world.api.routes.filter(takes).map(nameOf).sort()).toEqual([
      'GET /failure-report',
      'GET /new-order',
      'GET /results',
      'GET /status',
      'GET /upload',
      'PATCH /add-metadata',
      'POST /new-order',
      'POST /results',
      'POST /upload',
    ]);
  });

  it('with a body that cannot be read: a failure all the same', async () => {
    const answer = await client.post('/api/v1/exams', '{"name":');
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        action: 'exams:create',
        outcome: 'failure',
        detail: { status: 400, code: 'bad_request' },
      }),
    ]);
  });
});

describe('when the ledger cannot be written', () => {
  it('after the bytes of a patient’s file: it is not shown, and given up', async () => {
    const { patient, caseId } = await clinic.admit();
    await world.admin.query(
      `CREATE FUNCTION refuse_upload() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$;
       CREATE TRIGGER refuse_upload BEFORE INSERT ON audit_event FOR EACH ROW WHEN (NEW.action = 'files:upload' AND NEW.outcome = 'success')
       EXECUTE FUNCTION refuse_upload()`,
    );
    try {
      const answer = await patient.upload('bytes', { caseId });
      expect([answer.status, answer.body]).toEqual([
        500,
        { status: 500, success: false, error: 'Failed to upload file', code: 'INTERNAL_ERROR' },
      ]);
      expect((await eventsOf(answer)).at(-1)).toMatchObject({
        action: 'files:upload',
        outcome: 'failure',
        detail: { status: 500, code: 'upload_failed' },
      });
    } finally {
      await world.admin.query('DROP TRIGGER refuse_upload ON audit_event; DROP FUNCTION refuse_upload()');
    }
    const [row] = await eventually(
      async () =>
        (
          await world.admin.query<{ shown: boolean; gone: boolean; state: string }>(
            `SELECT f.visible_at IS NOT NULL AS shown, f.deleted_at IS NOT NULL AS gone, u.state
             FROM patient_file f JOIN upload u ON u.id = f.upload_id WHERE f.patient_id = $1`,
            [patient.id],
          )
        ).rows,
      ([found]) => found?.gone === true,
    );
    expect(row).toEqual({ shown: false, gone: true, state: 'deleted' });
    expect((await patient.list()).body.data.files).toEqual([]);
  });
});

describe('neither ledger nor log', () => {
  it('holds names, tokens, secrets, URLs of the bucket or of shares', async () => {
    const process = await startProcess();
    try {
      const secrets = await liveThrough(process.baseUrl);
      await process.stop();
      const { rows } = await world.admin.query<{ row: string }>('SELECT e::text AS row FROM audit_event e');
      expect(rows.length).toBeGreaterThan(30);
      const lines = process.output().split('\n').filter(Boolean);
      expect(lines.filter((line) => line.includes('"msg":"request"')).length).toBeGreaterThan(12);
      expect(process.output()).toContain('"operation":"shares:open"');
      for (const [name, secret] of Object.entries(secrets)) {
        expect(secret.length).toBeGreaterThan(4);
        for (const text of [...rows.map(({ row }) => row), ...lines])
          for (const form of new Set([
            secret,
            encodeURIComponent(secret),
            JSON.stringify(secret).slice(1, -1),
          ]))
            if (text.includes(form)) throw new Error(`${name} stands in: ${text}`);
      }
      for (const text of [...rows.map(({ row }) => row), ...lines])
        expect(text).not.toMatch(
          /X-Amz|Signature=|\/share\/[\w-]{10}|eyJhbGci|sdk_live_|Bearer |Basic |\.dcm/,
        );
    } finally {
      await process.stop();
    }
  });

  interface Running {
    baseUrl: string;
    output(): string;
    stop(): Promise<void>;
  }

  /** The API as it is shipped, with its usual log, on the database of this file. */
  async function startProcess(): Promise<Running> {
    const port = String(20_000 + Math.floor(Math.random() * 10_000));
    const baseUrl = `http://127.0.0.1:${port}`;
    const child: ChildProcess = spawn('node', ['dist/main.js', 'api'], {
      env: { ...process.env, ...world.environment, PORT: port, PUBLIC_URL: baseUrl, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout!.on('data', (part: Buffer) => (output += part.toString()));
    child.stderr!.on('data', (part: Buffer) => (output += part.toString()));
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await eventually(
      () =>
        fetch(`${baseUrl}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      (up) => {
        if (child.exitCode !== null) throw new Error(output);
        return up;
      },
    );
    return {
      baseUrl,
      output: () => output,
      stop: async () => {
        child.kill('SIGTERM');
        await ended;
      },
    };
  }

  /** Everything a caller does, right and wrong; returns every value that must not be written down anywhere. */
  async function liveThrough(baseUrl: string): Promise<Record<string, string>> {
    const own = await world.newTenant();
    const names = {
      examName: 'Exam of Zebulon',
      patientName: 'Zebulon Quintero-Müller',
      patientId: 'PID-778899-X',
      reason: 'Fracture after a fall, Zebulon',
      fileName: 'zebulon_quintero_ct',
      password: 'quintero horse battery',
      wrongPassword: 'quintero wrong battery',
    };
    const accessToken = await tokenFor(baseUrl, own);
    const by = new Client(baseUrl, accessToken);
    const visitor = new Client(baseUrl);
    const bytes = ctInstance({ PatientName: 'Zebulon^Quintero', PatientID: names.patientId });
    const body = {
      name: names.examName,
      patient_name: names.patientName,
      patient_id: names.patientId,
      reason: names.reason,
      files: [
        { name: `${names.fileName}.dcm`, size: bytes.length },
        { name: `${names.fileName}_2.dcm`, size: 5 },
      ],
    };
    const created = await by.post<{ exam_id: string; upload_urls: { url: string }[] }>(
      '/api/v1/exams',
      body,
      {
        'idempotency-key': 'zebulon-key-1',
      },
    );
    const { exam_id: id, upload_urls } = created.body;
    await put(upload_urls[0]!.url, bytes);
    await by.post(`/api/v1/exams/${id}/confirm`); // 409, names what is missing
    const fresh = await by.post<{ upload_urls: { url: string }[] }>(`/api/v1/exams/${id}/urls`);
    await put(fresh.body.upload_urls[0]!.url, Buffer.from('zebul'));
    const confirmed = await by.post<{ share_url: string }>(`/api/v1/exams/${id}/confirm`);
    const token = confirmed.body.share_url.split('/').at(-1)!;
    const { files } = await eventually(
      async () =>
        (await by.get<{ ingestion_status: string; files: { upload_id: string }[] }>(`/api/v1/exams/${id}`))
          .body,
      ({ ingestion_status }) => ingestion_status === 'partially_registered',
    );
    await by.get('/api/v1/exams?limit=1');
    await by.post(`/api/v1/exams/${id}/share`, { password: names.password });
    await visitor.get(`/share/${token}`);
    await visitor.call(
      'POST',
      `/share/${token}`,
      new URLSearchParams({ password: names.wrongPassword }).toString(),
      FORM,
    );
    const unlocked = await visitor.call(
      'POST',
      `/share/${token}`,
      new URLSearchParams({ password: names.password }).toString(),
      FORM,
    );
    const cookie = unlocked.headers.get('set-cookie')!.split(';')[0]!;
    await visitor.get(`/share/${token}`, { cookie });
    const download = await visitor.get(`/share/${token}/files/${files[0]!.upload_id}`, { cookie });
    await new Client(baseUrl, own.apiKey).get('/api/v1/me');
    // And what goes wrong, whose errors quote the most.
    await by.post('/api/v1/exams', { ...body, files: [{ name: `/${names.fileName}`, size: 1 }] });
    await by.post('/api/v1/exams', { ...body, files: [{ name: names.fileName, size: 6 * 1024 ** 3 }] });
    await by.post('/api/v1/exams', `{"patient_name":"${names.patientName}"`);
    await visitor.get('/auth/token', { authorization: basic(own.clientId, 'wrong-secret-of-zebulon') });
    await visitor.get(`/auth/token?client_secret=${own.clientSecret}`);
    await visitor.get(`/nowhere/${encodeURIComponent(names.patientName)}`);
    await visitor.get(`/api/v1/exams?patient_name=${encodeURIComponent(names.patientName)}`);
    // A driver's message that quotes the row, as those of constraints and casts do.
    await world.admin.query(
      `CREATE FUNCTION quote_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'bad row: %', NEW; END $$;
       CREATE TRIGGER quote_row BEFORE INSERT ON exam FOR EACH ROW EXECUTE FUNCTION quote_row()`,
    );
    expect((await by.post('/api/v1/exams', body)).status).toBe(500);
    await world.admin.query('DROP TRIGGER quote_row ON exam; DROP FUNCTION quote_row()');
    await world.admin.query('ALTER TABLE slot RENAME COLUMN name TO name_gone');
    await by.post('/api/v1/exams', body); // a 500 or 503 whose cause quotes the statement
    await by.get(`/api/v1/exams/${id}`);
    await world.admin.query('ALTER TABLE slot RENAME COLUMN name_gone TO name');
    await by.delete(`/api/v1/exams/${id}`);
    return {
      ...names,
      clientSecret: own.clientSecret,
      apiKey: own.apiKey,
      accessToken,
      shareToken: token,
      cookie: cookie.split('=')[1]!,
      idempotencyKey: 'zebulon-key-1',
      wrongSecret: 'wrong-secret-of-zebulon',
      signature: new URL(upload_urls[0]!.url).searchParams.get('X-Amz-Signature')!,
      downloadSignature: new URL(download.headers.get('location')!).searchParams.get('X-Amz-Signature')!,
      zebulon: 'ebulon',
      quintero: 'uintero',
      masterKey: world.environment.SCANDOCK_MASTER_KEY!,
      s3Secret: world.environment.S3_SECRET_ACCESS_KEY!,
    };
  }
});
