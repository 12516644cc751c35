import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { JWT_BEARER } from '../../../src/modules/auth/client-assertion.js';
import { newId } from '../../../src/platform/database/id.js';
import { basic, tokenFor } from '../../support/client.js';
import { createExam, examBody } from '../../support/exam.js';
import { Client } from '../../support/client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const CANARY = '<img src=x onerror=alert(1)>';

interface Wire {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let token: string;
let examId: string;
let counts: object;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '1000000', RATE_LIMIT_PER_MINUTE: '1000000' });
  tenant = await world.newTenant();
  token = await tokenFor(world.baseUrl, tenant);
  examId = (await createExam(new Client(world.baseUrl, token), { 'a.dcm': 5 })).exam_id;
});
afterAll(() => world.close());

const rowCounts = async (): Promise<object> =>
  (
    await world.admin.query<object>(
      `SELECT (SELECT count(*) FROM exam) AS exams, (SELECT count(*) FROM slot) AS slots, (SELECT count(*) FROM upload) AS uploads,
              (SELECT count(*) FROM share_link) AS links, (SELECT count(*) FROM idempotency_key) AS keys,
              (SELECT md5(string_agg(e::text, '' ORDER BY id)) FROM exam e) AS exam_rows`,
    )
  ).rows[0]!;
beforeEach(async () => {
  counts = await rowCounts();
});
afterEach(async () => expect(await rowCounts()).toEqual(counts));

/** As raw as it gets: no client library may tidy up what is sent. */
function send(
  method: string,
  path: string,
  {
    headers = {},
    body,
    anonymous = false,
  }: {
    headers?: Record<string, string | string[]>;
    body?: string | Uint8Array;
    anonymous?: boolean;
  } = {},
): Promise<Wire> {
  const { hostname, port } = new URL(world.baseUrl);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        agent: false,
        headers: {
          ...(!anonymous && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text: Buffer.concat(parts).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Client errors only, in the surface's format, with a request id, nothing of the inside. */
function expectRefusal(surface: 'exams' | 'oauth' | 'page' | 'problem', answer: Wire): void {
  const { status, headers, text } = answer;
  expect({ status, refused: status >= 400 && status < 500 }).toEqual({ status, refused: true });
  expect(headers['x-request-id']).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(text).not.toMatch(/prisma|postgres|at .*\.[jt]s:\d|node_modules|SQLSTATE|ZodError|FST_ERR/i);
  if (surface === 'page') {
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).not.toContain('<img');
    expect(text).toMatch(/^<!doctype html>/);
    return;
  }
  expect(headers['content-type']).toMatch(
    surface === 'problem' ? /^application\/problem\+json/ : /^application\/json/,
  );
  const body = JSON.parse(text) as Record<string, unknown>;
  const shapes = {
    exams: { error: { code: expect.stringMatching(/^[a-z_]+$/), message: expect.any(String) } },
    oauth: { error: expect.stringMatching(/^[a-z_]+$/), error_description: expect.any(String) },
    problem: {
      type: 'about:blank',
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code: expect.stringMatching(/^[a-z_]+$/),
      requestId: headers['x-request-id'],
    },
  };
  expect(body).toMatchObject(shapes[surface]);
  expect(text.length).toBeLessThan(32_768);
}

const exam = (changes: object): string => JSON.stringify({ ...examBody({ 'a.dcm': 5 }), ...changes });
const file = (changes: object): string => exam({ files: [{ name: 'a.dcm', size: 5, ...changes }] });
const create = (body: string | Uint8Array, headers: Record<string, string | string[]> = JSON_TYPE) =>
  send('POST', '/api/v1/exams', { headers, body });

describe('POST /api/v1/exams refuses', () => {
  const files = (count: number): object => ({
    files: Array.from({ length: count }, (_, index) => ({ name: `${index}.dcm`, size: 1 })),
  });
  const bodies: [string, number, string | Uint8Array][] = [
    ['what is no JSON', 400, '{"name":'],
    ['text', 400, 'name=a'],
    ['a trailing comma', 400, '{"name":"a",}'],
    ['an empty body', 400, ''],
    ['blanks', 400, '   '],
    ['null', 400, 'null'],
    ['a list', 400, '[]'],
    ['a string', 400, '"exam"'],
    ['a number', 400, '1e999'],
    ['an empty object', 400, '{}'],
    ['bytes that are no UTF-8', 400, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['a byte order mark alone', 400, '\ufeff'],
    ['NUL bytes', 400, '\u0000\u0000'],
    ['JSON 100,000 levels deep', 400, `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['an object 20,000 levels deep', 400, `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
    ['__proto__', 400, exam({}).replace('{', '{"__proto__":{"admin":true},')],
    ['__proto__ in a file', 400, exam({}).replace('"size"', '"__proto__":{"size":1},"size"')],
    ['constructor.prototype', 400, exam({}).replace('{', '{"constructor":{"prototype":{"admin":true}},')],
    ['an unknown field', 400, exam({ organization_id: newId() })],
    ['a status of its own', 400, exam({ status: 'ready' })],
    ['an unknown field of a file', 400, file({ key: 'objects/x' })],
    ['a name that is a number', 400, exam({ name: 1 })],
    ['a name that is an object', 400, exam({ name: { $ne: null } })],
    ['a name that is a list', 400, exam({ name: ['a'] })],
    ['no name', 400, exam({ name: undefined })],
    ['an empty name', 400, exam({ name: '' })],
    ['a blank name', 400, exam({ name: ' \t ' })],
    ['a name of 201 characters', 400, exam({ name: 'a'.repeat(201) })],
    ['a name of 10 kB', 400, exam({ name: 'a'.repeat(10_240) })],
    ['a name with a line feed', 400, exam({ name: 'a\nb' })],
    ['a name with a NUL', 400, exam({ name: 'a\u0000b' })],
    ['a name with an escape', 400, exam({ name: 'a\u001b[31mb' })],
    ['a name with a C1 control', 400, exam({ name: 'a\u0085b' })],
    ['a name with a line separator', 400, exam({ name: 'a\u2028b' })],
    ['a name with half a surrogate pair', 400, exam({}).replace('"CBCT"', '"a\\ud800b"')],
    ['a name with the other half', 400, exam({}).replace('"CBCT"', '"a\\udc00"')],
    ['a patient’s name with a NUL', 400, exam({ patient_name: '\u0000' })],
    ['a patient id of 65 characters', 400, exam({ patient_id: 'a'.repeat(65) })],
    ['a birth date in another form', 400, exam({ birth_date: '01.02.1990' })],
    ['a birth date that is none', 400, exam({ birth_date: '2023-02-30' })],
    ['a birth date to come', 400, exam({ birth_date: '2999-01-01' })],
    ['a reason of 2,001 characters', 400, exam({ reason: 'a'.repeat(2001) })],
    ['no days to live', 400, exam({ expiration_days: 0 })],
    ['half a day to live', 400, exam({ expiration_days: 0.5 })],
    ['more days than there are', 400, exam({ expiration_days: 1e9 })],
    ['days as text', 400, exam({ expiration_days: '3' })],
    ['no files', 400, exam({ files: [] })],
    ['files that are no list', 400, exam({ files: { 0: { name: 'a', size: 1 } } })],
    ['files that are null', 400, exam({ files: [null] })],
    ['5,001 files', 400, exam(files(5001))],
    ['100,000 wrong files', 400, exam({ files: Array<object>(100_000).fill({ name: '/', size: -1 }) })],
    ['5,000 wrong files', 400, exam({ files: Array<object>(5000).fill({ name: '/', size: -1 }) })],
    [
      'a name given twice',
      400,
      exam({
        files: [
          { name: 'a', size: 1 },
          { name: 'a', size: 2 },
        ],
      }),
    ],
    [
      'a name given twice but for blanks',
      400,
      exam({
        files: [
          { name: 'a', size: 1 },
          { name: ' a ', size: 2 },
        ],
      }),
    ],
    ['a path', 400, file({ name: 'a/b.dcm' })],
    ['an absolute path', 400, file({ name: '/etc/passwd' })],
    ['a path of Windows', 400, file({ name: 'C:\\a.dcm' })],
    ['..', 400, file({ name: '..' })],
    ['.', 400, file({ name: '.' })],
    ['../', 400, file({ name: '../../a' })],
    ['a file name with a NUL', 400, file({ name: 'a.dcm\u0000.exe' })],
    ['a file name with CR LF', 400, file({ name: 'a\r\nSet-Cookie: a=b' })],
    ['an empty file name', 400, file({ name: '' })],
    ['a file name of 256 characters', 400, file({ name: 'a'.repeat(256) })],
    ['a file name of 10 kB', 400, file({ name: 'ä'.repeat(10_240) })],
    ['a file name with a lone surrogate', 400, file({}).replace('"a.dcm"', '"\\udfff.dcm"')],
    ['a negative size', 400, file({ size: -1 })],
    ['a fractional size', 400, file({ size: 1.5 })],
    ['a size as text', 400, file({ size: '5' })],
    ['no size', 400, file({ size: undefined })],
    ['a size of null', 400, file({ size: null })],
    ['a size that is not safe', 400, file({}).replace(':5}', ':9007199254740993}')],
    ['a size beyond all numbers', 400, file({}).replace(':5}', ':1e400}')],
    ['a file over 5 GiB', 413, file({ size: 5 * 1024 ** 3 + 1 })],
    ['a file of a petabyte', 413, file({ size: 1e15 })],
    ['a body over 4 MiB', 413, exam({ reason: 'a'.repeat(5 * 1024 * 1024) })],
  ];
  it.each(bodies)('%s (%i)', async (_, status, body) => {
    const answer = await create(body);
    expect(answer.status).toBe(status);
    expectRefusal('exams', answer);
  });

  it.each([
    ['no content type', {}, 415],
    ['text', { 'content-type': 'text/plain' }, 400],
    ['XML', { 'content-type': 'application/xml' }, 415],
    ['a form', FORM_TYPE, 415],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
    ['nonsense', { 'content-type': ';;;' }, 415],
    ['a content encoding', { ...JSON_TYPE, 'content-encoding': 'gzip' }, 400],
  ])('a body of %s', async (name, headers, status) => {
    const body = name === 'a content encoding' ? Buffer.from([0x1f, 0x8b, 8, 0]) : exam({});
    const answer = await create(body, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expectRefusal('exams', answer);
  });

  it('a body that is longer or shorter than it says', async () => {
    const answer = await create(exam({}), { ...JSON_TYPE, 'content-length': '10' }).catch(() => undefined);
    if (answer) expect(answer.status).toBe(400);
  });

  it.each([
    ['empty', ''],
    ['blank', ' '],
    ['with a blank inside', 'a b'],
    ['with an umlaut', 'schl\u00fcssel'],
    ['too long', 'a'.repeat(256)],
    ['given twice', ['a', 'b'] as unknown as string],
  ])('an Idempotency-Key that is %s', async (_, key) => {
    const answer = await create(exam({}), { ...JSON_TYPE, 'idempotency-key': key });
    expect(answer.status).toBe(400);
    expectRefusal('exams', answer);
  });

  it('whatever fast-check makes up that is no exam', async () => {
    const anyJson = fc.oneof(fc.json({ maxDepth: 4 }), fc.json({ stringUnit: 'binary' }), fc.string());
    await fc.assert(
      fc.asyncProperty(anyJson, async (body) => {
        expectRefusal('exams', await create(Buffer.from(body)));
      }),
      { numRuns: 60 },
    );
  });

  it('an exam with any one field replaced by what does not belong there', async () => {
    const wrong = fc.oneof(
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.constantFrom('', '\u0000', '\u202e\u0000', 'a'.repeat(300), { toString: 'x' }, { length: 1 }, [
        [[]],
      ]),
    );
    const field = fc.constantFrom('name', 'patient_name', 'files', 'unknown');
    await fc.assert(
      fc.asyncProperty(field, wrong, async (name, value) => {
        expectRefusal(
          'exams',
          await create(JSON.stringify({ ...JSON.parse(exam({})), [name]: value ?? null })),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('ids that are none', () => {
  const ids = [
    'x',
    '0',
    '-1',
    'undefined',
    'null',
    '[object%20Object]',
    '00000000-0000-0000-0000-00000000000',
    '00000000-0000-0000-0000-0000000000000',
    '{00000000-0000-7000-8000-000000000000}',
    `'%20OR%20'1'='1`,
    '1;DROP%20TABLE%20exam',
    '%00',
    '%2e%2e',
    '..%2f..%2fme',
    '%F0%9F%92%A9',
    encodeURIComponent(CANARY),
    'a'.repeat(256),
    'a'.repeat(2000),
  ];
  it.each(ids)('%s', async (id) => {
    for (const [method, path] of [
      ['GET', `/api/v1/exams/${id}`],
      ['DELETE', `/api/v1/exams/${id}`],
      ['POST', `/api/v1/exams/${id}/urls`],
      ['POST', `/api/v1/exams/${id}/confirm`],
      ['POST', `/api/v1/exams/${id}/share`],
      ['DELETE', `/api/v1/exams/${id}/share`],
    ] as const)
      expectRefusal('exams', await send(method, path));
    expectRefusal('page', await send('GET', `/share/${id}`, { anonymous: true }));
    expectRefusal('page', await send('GET', `/viewer/${id}`, { anonymous: true }));
    expectRefusal('page', await send('POST', `/share/${id}`, { anonymous: true }));
    expectRefusal('page', await send('GET', `/share/${'A'.repeat(43)}/files/${id}`, { anonymous: true }));
  });

  it('of another kind of UUID are unknown, in any case', async () => {
    for (const id of [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      newId().toUpperCase(),
    ]) {
      const answer = await send('GET', `/api/v1/exams/${id}`);
      expect(answer.status).toBe(404);
      expectRefusal('exams', answer);
    }
    expect((await send('GET', `/api/v1/exams/${examId.toUpperCase()}`)).status).toBe(200);
  });

  it('that are no valid URL', async () => {
    expectRefusal('exams', await send('GET', '/api/v1/exams/%zz'));
    expectRefusal('exams', await send('GET', '/api/v1/exams/%c3%28'));
    expectRefusal('page', await send('GET', '/share/%zz', { anonymous: true }));
    expectRefusal('problem', await send('GET', '/%', { anonymous: true }));
  });
});

describe('lists refuse', () => {
  const cursor = (value: unknown): string =>
    `cursor=${Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')}`;
  it.each([
    'limit=0',
    'limit=-1',
    'limit=101',
    'limit=1.5',
    'limit=x',
    'limit=',
    'limit=1&limit=2',
    'limit[]=1',
    'limit[gt]=1',
    'offset=-1',
    'offset=1e9',
    'offset=NaN',
    'status=deleted',
    'status=ready&status=ready',
    'unknown=1',
    'organization_id=1',
    '__proto__[a]=1',
    'cursor=',
    'cursor=x',
    'cursor=%00',
    `cursor=${'a'.repeat(300)}`,
    cursor('null'),
    cursor('{}'),
    cursor([]),
    cursor(['2026-01-01T00:00:00Z']),
    cursor(['2026-01-01', newId()]),
    cursor(['2026-01-01T00:00:00Z', 'x']),
    cursor(['2026-13-01T00:00:00Z', newId()]),
    cursor(['0000-01-01T00:00:00Z', newId()]),
    cursor(['0001-01-01T00:00:00Z', newId()]),
    cursor(['2026-01-01T00:00:00Z', newId(), 1]),
    cursor([{ toISOString: 1 }, newId()]),
    cursor(`["2026-01-01T00:00:00Z","${CANARY}"]`),
  ])('?%s', async (query) => {
    const answer = await send('GET', `/api/v1/exams?${query}`);
    expect(answer.status).toBe(400);
    expectRefusal('exams', answer);
  });

  it('whatever fast-check makes up for a cursor', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.base64String(), fc.string({ minLength: 1 })), async (value) => {
        const answer = await send('GET', `/api/v1/exams?cursor=${encodeURIComponent(value)}`);
        expectRefusal('exams', answer);
      }),
      { numRuns: 40 },
    );
  });

  it.each(['1970-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])(
    'nothing for a cursor at the edge of time: %s',
    async (time) => {
      expect((await send('GET', `/api/v1/exams?${cursor([time, newId()])}`)).status).toBe(200);
    },
  );
});

describe('credentials that are none', () => {
  it.each([
    '',
    ' ',
    'Bearer',
    'Bearer ',
    'Bearer  ',
    'Bearer a b',
    'Bearer a,b',
    'bearer\ttoken',
    'Bearer \u00e4',
    'Bearer sdk_live_',
    `Bearer sdk_live_${'a'.repeat(4000)}`,
    `Bearer ${'a.'.repeat(4000)}`,
    'Bearer null',
    'Bearer ..',
    'Bearer eyJhbGciOiJub25lIn0.e30.',
    'Basic',
    'Basic !!!!',
    'Digest username="a"',
    'Negotiate YII=',
    'token',
    CANARY,
  ])('%j', async (authorization) => {
    for (const path of ['/api/v1/exams', '/api/v1/me', '/test-token']) {
      const answer = await send('GET', path, { anonymous: true, headers: { authorization } });
      expect(answer.status).toBe(401);
      expectRefusal(path === '/test-token' ? 'problem' : 'exams', answer);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
    const grant = await send('POST', '/oauth2/token', {
      anonymous: true,
      headers: { ...FORM_TYPE, authorization },
      body: 'grant_type=client_credentials',
    });
    expect(grant.status).toBe(401);
    expectRefusal('oauth', grant);
  });

  it('none at all', async () => {
    const answer = await send('GET', '/test-token', { anonymous: true });
    expectRefusal('problem', answer);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('two at once', async () => {
    const authorization = [`Bearer ${token}`, 'Bearer x'];
    const answer = await send('GET', '/test-token', { anonymous: true, headers: { authorization } });
    expect([200, 401]).toContain(answer.status); // Node keeps the first; never a mixture of both
  });

  it('in the query or the body', async () => {
    expectRefusal('exams', await send('GET', `/api/v1/exams?access_token=${token}`, { anonymous: true }));
    expectRefusal(
      'exams',
      await send('POST', '/api/v1/exams', {
        anonymous: true,
        headers: JSON_TYPE,
        body: exam({ access_token: token }),
      }),
    );
    expectRefusal(
      'exams',
      await send('GET', '/api/v1/exams', { anonymous: true, headers: { cookie: `token=${token}` } }),
    );
  });

  it('whatever fast-check makes up', async () => {
    const visible = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('', 'Bearer ', 'Basic '), visible, async (scheme, value) => {
        const answer = await send('GET', '/test-token', {
          anonymous: true,
          headers: { authorization: scheme + value },
        });
        expectRefusal('problem', answer);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(['/oauth2/introspect', '/oauth2/revoke'])('%s refuses', (path) => {
  it.each<[string, string | Uint8Array, number]>([
    ['an empty body', '', 400],
    ['bytes', Buffer.from([0xff, 0xfe, 0, 1]), 400],
    ['prototype pollution', '__proto__[token]=x&constructor.prototype=1', 400],
    ['a token of 5 kB', `token=${'a'.repeat(5_120)}`, 400],
    ['an assertion of 5 kB', `token=a&client_assertion=${'a'.repeat(5_120)}`, 400],
    ['a token given twice', 'token=a&token=b', 400],
    ['half an assertion', 'token=a&client_assertion=a.b.c', 400],
    ['an assertion that is none', `token=a&client_assertion=a.b.c&client_assertion_type=${JWT_BEARER}`, 401],
    ['a thousand parameters', `${'a=1&'.repeat(1000)}token=a`, 401],
    ['a broken percent sign', 'token=%zz', 401],
    ['NUL', 'token=%00&client_id=%00&client_secret=%00', 401],
    ['a body over the limit', `token=${'a'.repeat(9 * 1024)}`, 413],
  ])('%s', async (_, body, status) => {
    const answer = await send('POST', path, { anonymous: true, headers: FORM_TYPE, body });
    expect(answer.status).toBe(status);
    expectRefusal('oauth', answer);
  });

  it('what is no form', async () => {
    for (const body of ['{', 'null', '{"token":"a"}', '['.repeat(50_000)])
      expectRefusal('oauth', await send('POST', path, { anonymous: true, headers: JSON_TYPE, body }));
  });
});

describe('the token endpoint refuses', () => {
  const grant = (body: string | Uint8Array, headers: Record<string, string> = FORM_TYPE) =>
    send('POST', '/oauth2/token', { anonymous: true, headers, body });
  it.each<[string, string | Uint8Array, number]>([
    ['an empty body', '', 400],
    ['bytes', Buffer.from([0xff, 0xfe, 0, 1]), 400],
    ['prototype pollution', '__proto__[grant_type]=client_credentials&constructor.prototype=1', 400],
    ['a scope of 5 kB', `grant_type=client_credentials&scope=${'a'.repeat(5_120)}`, 400],
    [
      'a client_id of 5 kB',
      `grant_type=client_credentials&client_id=${'a'.repeat(5_120)}&client_secret=b`,
      400,
    ],
    ['a thousand parameters', `${'a=1&'.repeat(1000)}grant_type=client_credentials`, 401],
    ['a broken percent sign', 'grant_type=%zz', 401],
    ['NUL', 'grant_type=client_credentials&client_id=%00&client_secret=%00', 401],
    ['a body over the limit', `grant_type=${'a'.repeat(300 * 1024)}`, 413],
  ])('%s', async (_, body, status) => {
    const answer = await grant(body);
    expect(answer.status).toBe(status);
    expectRefusal('oauth', answer);
  });

  it('broken JSON, and a deep one, on the seed’s path', async () => {
    for (const body of ['{', 'null', '[1]', '"a"', '{"__proto__":{"grant_type":"x"}}', '['.repeat(50_000)])
      expectRefusal(
        'oauth',
        await send('POST', '/auth/token', { anonymous: true, headers: JSON_TYPE, body }),
      );
  });
});

describe('share pages refuse, as a page', () => {
  it.each<[string, string | Uint8Array, Record<string, string>]>([
    ['a password twice', 'password=a&password=b', FORM_TYPE],
    ['a password of 10 kB', `password=${'a'.repeat(10_240)}`, FORM_TYPE],
    ['broken JSON', '{', JSON_TYPE],
    ['an object for a password', '{"password":{"length":9}}', JSON_TYPE],
    ['prototype pollution', '{"__proto__":{"password":"x"}}', JSON_TYPE],
    ['XML', '<a/>', { 'content-type': 'text/xml' }],
    ['a body over the limit', `password=${'a'.repeat(300 * 1024)}`, FORM_TYPE],
    ['markup', `password=${encodeURIComponent(CANARY)}`, FORM_TYPE],
  ])('%s', async (_, body, headers) => {
    expectRefusal('page', await send('POST', `/share/${'A'.repeat(43)}`, { anonymous: true, headers, body }));
  });

  it.each(['page=x', 'page=-1', 'page=1e9', 'page=1&page=2', `page=${encodeURIComponent(CANARY)}`])(
    'nothing of ?%s but the unknown link',
    async (query) => {
      const answer = await send('GET', `/share/${'A'.repeat(43)}?${query}`, { anonymous: true });
      expect(answer.status).toBe(404);
      expectRefusal('page', answer);
    },
  );

  it('a share with a body that is none', async () => {
    for (const body of [
      '{"rotate":"yes"}',
      '{"expires_at":"tomorrow"}',
      '{"expires_at":1}',
      '{"expires_at":"0000-01-01T00:00:00Z"}',
      '{"password":"short"}',
      '{"password":1}',
      `{"password":"${'a'.repeat(129)}"}`,
      '{"version":9}',
      '[]',
      'null',
      '{',
    ])
      expectRefusal(
        'exams',
        await send('POST', `/api/v1/exams/${examId}/share`, { headers: JSON_TYPE, body }),
      );
  });
});

describe('requests that are none', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/nowhere'],
    ['GET', `/${encodeURIComponent(CANARY)}`],
    ['GET', '/.env'],
    ['GET', '/api/v1/../../etc/passwd'],
    ['GET', '//evil.example/'],
    ['PUT', '/healthz'],
    ['TRACE', '/healthz'],
    ['OPTIONS', '/test-token'],
    ['HEAD', '/test-token'],
    ['PATCH', '/test-token'],
    ['PROPFIND', '/'],
  ])('%s %s', async (method, path) => {
    const answer = await send(method, path);
    expect(answer.status).toBe(404);
    if (method !== 'HEAD') expectRefusal('problem', answer);
  });

  it('a method an exam does not know', async () => {
    for (const method of ['PUT', 'PATCH', 'OPTIONS'])
      expectRefusal('exams', await send(method, `/api/v1/exams/${examId}`));
  });

  it('headers of 20 kB', async () => {
    const answer = await send('GET', '/api/v1/exams', { headers: { 'x-filler': 'a'.repeat(20_480) } });
    expect(answer.status).toBe(431);
    expectRefusal('problem', answer);
  });

  it('a URL of 12 kB', async () => {
    expectRefusal('exams', await send('GET', `/api/v1/exams?cursor=${'a'.repeat(12_000)}`));
  });

  it('a request id that is none: it gets one of ours', async () => {
    for (const given of ['x', 'a'.repeat(65), 'with blank', `"${CANARY}"`]) {
      const { headers } = await send('GET', '/healthz', { headers: { 'x-request-id': given } });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
    const kept = await send('GET', '/healthz', { headers: { 'x-request-id': 'request_1-A' } });
    expect(kept.headers['x-request-id']).toBe('request_1-A');
  });

  it('a trace that is none: it begins one', async () => {
    for (const traceparent of [
      'x',
      `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
      `00-${'g'.repeat(32)}-${'1'.repeat(16)}-01`,
    ]) {
      const { headers } = await send('GET', '/healthz', { headers: { traceparent } });
      expect(headers.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
    const trace = 'ab'.repeat(16);
    const { headers } = await send('GET', '/healthz', {
      headers: { traceparent: `00-${trace}-${'1'.repeat(16)}-01` },
    });
    expect(headers.traceparent).toContain(trace);
  });

  it('a forwarded address, from nobody we trust', async () => {
    const { headers } = await send('GET', '/test-token', {
      anonymous: true,
      headers: { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' },
    });
    const { rows } = await world.admin.query<{ ip: string }>(
      'SELECT ip FROM audit_event WHERE request_id = $1',
      [headers['x-request-id']],
    );
    expect(rows).toEqual([{ ip: '127.0.0.1' }]);
  });

  it('a prototype that was polluted: none was', () => {
    for (const name of ['admin', 'grant_type', 'password', 'size'])
      expect(({} as Record<string, unknown>)[name]).toBeUndefined();
  });

  it('and the server is well after all of it', async () => {
    expect((await send('GET', '/api/v1/exams')).status).toBe(200);
    expect(
      (
        await send('POST', '/oauth2/token', {
          anonymous: true,
          headers: { ...FORM_TYPE, authorization: basic(tenant.clientId, tenant.clientSecret) },
          body: 'grant_type=client_credentials',
        })
      ).status,
    ).toBe(200);
  });
});
