import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SCOPES, type Scope } from '../../../src/platform/authorization/scopes.js';
import { type Answer, Client } from '../../support/client.js';
import { type Declaration, declarationOf, Inspector } from '../../support/inspector.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const MAX_BYTES = 1_000_000;

let world: World;
let tenant: Tenant;
let inspector: Inspector;

beforeAll(async () => {
  world = await createWorld({
    INSPECT_CONTENT_TYPES: 'image/png, application/pdf',
    INSPECT_MAX_BYTES: String(MAX_BYTES),
    RATE_LIMIT_PER_MINUTE: '100000',
  });
  tenant = await world.newTenant();
  inspector = new Inspector(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

/** Of content that nobody has declared before. */
const declaration = (others: Partial<Declaration> = {}): Declaration =>
  declarationOf(randomBytes(20), 'image/png', others);

async function colleague(role: 'uploader' | 'reader', scopes: readonly Scope[] = SCOPES): Promise<Inspector> {
  const { organizationId } = tenant;
  const key = await world.organizations.createApiKey({ organizationId, name: 'colleague', role, scopes });
  return new Inspector(world.baseUrl, key);
}

async function counts(id: string): Promise<{ files: number; attempts: number }> {
  const { rows } = await world.admin.query(
    `SELECT (SELECT count(*)::int FROM inspect_file WHERE id = $1) AS files,
            (SELECT count(*)::int FROM upload WHERE inspect_file_id = $1) AS attempts`,
    [id],
  );
  return rows[0];
}

const expectRefusal = (
  { status, body, headers }: Answer,
  wanted: number,
  name: string,
  words: RegExp,
): void => {
  expect({ status, body }).toEqual({
    status: wanted,
    body: { error: name, errorDescription: expect.stringMatching(words) },
  });
  expect(headers.get('content-type')).toMatch(/^application\/json/);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-request-id')).toBeTruthy();
};

describe('a bad declaration', () => {
  const { hash } = declarationOf(Buffer.from('x'));
  const digest = createHash('sha256').update('x').digest();

  it.each<[string, object, RegExp]>([
    ['no id of the right form', { id: '7' }, /^id: /],
    ['an id that is no text', { id: 7 }, /^id: /],
    ['an empty assetID', { assetID: '' }, /^assetID: must not be empty/],
    ['an assetID of 201 characters', { assetID: 'a'.repeat(201) }, /^assetID: must be at most 200/],
    ['no content type', { contentType: undefined }, /^contentType: /],
    ['another content type', { contentType: 'text/html' }, /must be one of image\/png, application\/pdf$/],
    ['a content type in capitals', { contentType: 'Image/PNG' }, /must be one of/],
    ['a content type with parameters', { contentType: 'image/png; a=b' }, /must be one of/],
    ['a content type with a line break', { contentType: 'image/png\r\nx: y' }, /must be one of/],
    ['no hash', { hash: undefined }, /^hash: /],
    ['an empty hash', { hash: '' }, /^hash: must be the 32 bytes/],
    ['a hash of 31 bytes', { hash: digest.subarray(1).toString('base64') }, /^hash: must be the 32 bytes/],
    ['a hash of 33 bytes', { hash: Buffer.alloc(33).toString('base64') }, /^hash: must be the 32 bytes/],
    ['a hash in hexadecimal', { hash: digest.toString('hex') }, /^hash: must be the 32 bytes/],
    ['a hash without padding', { hash: hash.slice(0, -1) }, /^hash: must be the 32 bytes/],
    ['a hash of the URL alphabet', { hash: `${'-_'.repeat(21)}A=` }, /^hash: must be the 32 bytes/],
    ['a hash that is not canonical', { hash: `${'A'.repeat(42)}B=` }, /^hash: must be the 32 bytes/],
    ['a hash with a blank', { hash: ` ${hash}` }, /^hash: must be the 32 bytes/],
    ['a hash with a line break', { hash: `${hash}\n` }, /^hash: must be the 32 bytes/],
    ['no name', { name: undefined }, /^name: /],
    ['an empty name', { name: '' }, /^name: must not be empty/],
    ['a name of 256 characters', { name: 'a'.repeat(256) }, /^name: must be at most 255/],
    ['a name with control characters', { name: 'a\u0007.png' }, /^name: must not contain control/],
    ['a name that turns its direction', { name: 'a\u202egnp.exe' }, /^name: must not contain control/],
    ['a name with half a character', { name: 'a\ud800.png' }, /^name: must not contain control/],
    ['a path for a name', { name: '../../a.png' }, /^name: must be a file name/],
    ['no size', { size: undefined }, /^size: /],
    ['a size of nothing', { size: 0 }, /^size: /],
    ['a size below nothing', { size: -1 }, /^size: /],
    ['a size that is no integer', { size: 1.5 }, /^size: /],
    ['a size in words', { size: '20' }, /^size: /],
    ['a size past the limit', { size: MAX_BYTES + 1 }, /^size: must be at most 1000000 bytes$/],
    ['a size past all integers', { size: 2 ** 60 }, /^size: /],
    ['a member that is not known', { fileId: randomUUID() }, /fileId/],
    ['a wrong hash and a wrong size', { hash: 'x', size: 0 }, /hash: .*size: /],
  ])('with %s is a 400 that says so', async (_, member, words) => {
    const before = await world.admin.query('SELECT count(*) FROM inspect_file');
    expectRefusal(await inspector.declare({ ...declaration(), ...member }), 400, 'Bad Request', words);
    expect((await world.admin.query('SELECT count(*) FROM inspect_file')).rows).toEqual(before.rows);
  });

  it.each<[string, unknown]>([
    ['a list', []],
    ['nothing', undefined],
    ['half of it', '{"name":'],
    ['null', 'null'],
  ])('that is %s is a 400', async (_, body) => {
    const answer = await inspector.post('/api/inspect/v1/file/upload/presigned', body);
    expectRefusal(answer, 400, 'Bad Request', /./);
  });

  it('is told apart from the largest there is, and from every accepted type', async () => {
    for (const good of [{ size: MAX_BYTES }, { contentType: 'application/pdf' }, { name: 'ü 🫀.png' }])
      expect((await inspector.declare({ ...declaration(), ...good })).status).toBe(201);
  });
});

describe('any other error', () => {
  it('is worded as the seed does', async () => {
    const nobody = new Inspector(world.baseUrl);
    const cases: [Promise<Answer>, number, string, RegExp][] = [
      [nobody.declare(declaration()), 401, 'Unauthorized', /./],
      [new Inspector(world.baseUrl, 'sdk_live_x').file(randomUUID()), 401, 'Unauthorized', /./],
      [(await colleague('reader')).declare(declaration()), 403, 'Forbidden', /./],
      [(await colleague('uploader', ['files:read'])).complete(randomUUID()), 403, 'Forbidden', /files:write/],
      [(await colleague('uploader', ['files:write'])).file(randomUUID()), 403, 'Forbidden', /files:read/],
      [inspector.file(randomUUID()), 404, 'Not Found', /^There is no such resource\.$/],
      [inspector.download(randomUUID()), 404, 'Not Found', /^There is no such resource\.$/],
      [inspector.complete(randomUUID()), 404, 'Not Found', /^There is no such resource\.$/],
      [inspector.get('/api/inspect/v1/nothing'), 404, 'Not Found', /./],
      [inspector.file('7'), 400, 'Bad Request', /./],
      [inspector.complete('7'), 400, 'Bad Request', /^id: /],
      [inspector.declare({ ...declaration(), name: 'a'.repeat(300_000) }), 413, 'Content Too Large', /./],
      [
        inspector.call('POST', '/api/inspect/v1/file/upload/complete', '<id/>', {
          'content-type': 'text/xml',
        }),
        415,
        'Unsupported Media Type',
        /./,
      ],
    ];
    for (const [answer, status, name, words] of cases) expectRefusal(await answer, status, name, words);
  });

  it('tells nothing of the inside, and says when to come back', async () => {
    const { id } = await inspector.presigned(declaration());
    await world.admin.query('ALTER TABLE inspect_file RENAME TO hidden_file');
    const broken = await inspector.file(id);
    await world.admin.query('ALTER TABLE hidden_file RENAME TO inspect_file');
    expectRefusal(broken, 500, 'Internal Server Error', /^Something went wrong on our side\.$/);

    await world.admin.query('REVOKE INSERT ON audit_event FROM scandock_app');
    const unrecorded = await inspector.file(id);
    await world.admin.query('GRANT INSERT ON audit_event TO scandock_app');
    expectRefusal(unrecorded, 503, 'Service Unavailable', /./);
    expect(unrecorded.headers.get('retry-after')).toBeTruthy();
  });

  it('of too many requests too', async () => {
    const small = await createWorld({ RATE_LIMIT_PER_MINUTE: '2' });
    try {
      const by = new Inspector(small.baseUrl, (await small.newTenant()).apiKey);
      for (let n = 0; n < 2; n++) expect((await by.file(randomUUID())).status).toBe(404);
      const limited = await by.file(randomUUID());
      expectRefusal(limited, 429, 'Too Many Requests', /./);
      expect(limited.headers.get('retry-after')).toBeTruthy();
    } finally {
      await small.close();
    }
  });
});

describe('an id of the caller’s own', () => {
  it('is used, in lower case, and takes another attempt each time', async () => {
    const id = randomUUID();
    const declared = declaration({ id: id.toUpperCase() });
    const urls = new Set<string>();
    for (let n = 1; n <= 3; n++) {
      const { status, body } = await inspector.declare(declared);
      expect([status, body.data.id]).toEqual([201, id]);
      urls.add(body.data.presignedURL as string);
      expect(await counts(id)).toEqual({ files: 1, attempts: n });
    }
    expect(urls.size).toBe(3);
  });

  it.each<[string, Partial<Declaration>]>([
    ['name', { name: 'other.png' }],
    ['type', { contentType: 'application/pdf' }],
    ['hash', { hash: declarationOf(Buffer.from('other')).hash }],
    ['size', { size: 21 }],
    ['assetID', { assetID: 'other' }],
  ])('cannot be given another %s', async (_, other) => {
    const declared = declaration({ id: randomUUID() });
    expect((await inspector.declare(declared)).status).toBe(201);
    expectRefusal(
      await inspector.declare({ ...declared, ...other }),
      400,
      'Bad Request',
      /^id: stands for a file with another/,
    );
    expect(await counts(declared.id!)).toEqual({ files: 1, attempts: 1 });
  });

  it('of another device of the organization is a 404, and changes nothing', async () => {
    const declared = declaration({ id: randomUUID() });
    await inspector.declare(declared);
    const device = await colleague('uploader');
    for (const answer of [
      await device.declare(declared),
      await device.declare({ ...declared, name: 'other.png' }),
      await device.complete(declared.id!),
      await device.file(declared.id!),
      await device.download(declared.id!),
    ])
      expectRefusal(answer, 404, 'Not Found', /^There is no such resource\.$/);
    expect(await counts(declared.id!)).toEqual({ files: 1, attempts: 1 });
  });

  it('of another organization is as good as new', async () => {
    const declared = declaration({ id: randomUUID() });
    await inspector.declare(declared);
    const other = new Inspector(world.baseUrl, (await world.newTenant()).apiKey);
    expect((await other.file(declared.id!)).status).toBe(404);
    expect((await other.declare({ ...declared, name: 'other.png' })).body.data.id).toBe(declared.id);
    expect((await other.file(declared.id!)).body.data.name).toBe('other.png');
    expect((await inspector.file(declared.id!)).body.data.name).toBe(declared.name);
  });

  it('gets no more than fifty URLs', async () => {
    const declared = declaration({ id: randomUUID() });
    for (let n = 0; n < 50; n++) expect((await inspector.declare(declared)).status).toBe(201);
    expectRefusal(await inspector.declare(declared), 400, 'Bad Request', /issued too often/);
    expect(await counts(declared.id!)).toEqual({ files: 1, attempts: 50 });
  });

  it('declared by twenty at once is one file with twenty attempts', async () => {
    const declared = declaration({ id: randomUUID() });
    const answers = await Promise.all(Array.from({ length: 20 }, () => inspector.declare(declared)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    expect(await counts(declared.id!)).toEqual({ files: 1, attempts: 20 });
  });

  it('declared by two devices at once belongs to one of them', async () => {
    const declared = declaration({ id: randomUUID() });
    const devices = [await colleague('uploader'), await colleague('uploader')];
    const answers = await Promise.all(devices.map((device) => device.declare(declared)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 404]);
    expect(await counts(declared.id!)).toEqual({ files: 1, attempts: 1 });
  });
});

describe('an Idempotency-Key', () => {
  it('gives the file that was declared, with a fresh URL, and declares nothing twice', async () => {
    const declared = declaration();
    const key = { 'idempotency-key': randomUUID() };
    const [first, again] = [await inspector.declare(declared, key), await inspector.declare(declared, key)];
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body.data.id).toBe(first.body.data.id);
    expect(again.body.data.presignedURL).not.toBe(first.body.data.presignedURL);
    expect(await counts(first.body.data.id as string)).toEqual({ files: 1, attempts: 2 });
    const { rows } = await world.admin.query(
      `SELECT detail FROM audit_event WHERE action = 'inspect:presign' AND resource_id = $1 ORDER BY id`,
      [first.body.data.id],
    );
    expect(rows.map(({ detail }) => detail.replayed)).toEqual([false, true]);
  });

  it('with another body is 422, and of a form that is none 400', async () => {
    const key = { 'idempotency-key': randomUUID() };
    await inspector.declare(declaration(), key);
    expectRefusal(
      await inspector.declare(declaration(), key),
      422,
      'Unprocessable Content',
      /another request body/,
    );
    expectRefusal(
      await inspector.declare(declaration(), { 'idempotency-key': 'a b' }),
      400,
      'Bad Request',
      /^Idempotency-Key: /,
    );
  });
});

it('without configuration takes what can be checked, up to what one PUT can carry', async () => {
  const plain = await createWorld();
  try {
    const by = new Inspector(plain.baseUrl, (await plain.newTenant()).apiKey);
    for (const contentType of [
      'video/mp4',
      'video/quicktime',
      'image/heic',
      'application/msword',
      'text/csv',
    ])
      expect((await by.declare({ ...declaration(), contentType })).status).toBe(201);
    expect((await by.declare({ ...declaration(), contentType: 'application/zip' })).status).toBe(400);
    expect((await by.declare({ ...declaration(), size: 5 * 1024 ** 3 })).status).toBe(201);
    expect((await by.declare({ ...declaration(), size: 5 * 1024 ** 3 + 1 })).status).toBe(400);
    expect((await new Client(plain.baseUrl).get('/api/inspect/v1/file/7')).status).toBe(401);
  } finally {
    await plain.close();
  }
});
