import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { jpeg, pdf, png, pngChunk } from '../../../src/formats/document/document.fixture.js';
import { SCOPES, type Scope } from '../../../src/platform/authorization/scopes.js';
import { eventually, put } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { declarationOf, Inspector } from '../../support/inspector.js';
import { findDisagreements } from '../../support/ledger-checks.js';
import { stage } from '../../support/ledger-rows.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const PNG = { 'content-type': 'image/png' };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let world: World;
let tenant: Tenant;
let inspector: Inspector;

beforeAll(async () => {
  world = await createWorld({
    RECONCILE_INTERVAL_MS: '300',
    INSPECT_CONTENT_TYPES: 'image/png,image/jpeg,application/pdf,application/dicom,application/step',
  });
  tenant = await world.newTenant();
  inspector = new Inspector(world.baseUrl, tenant.apiKey);
  await world.startWorker();
});
afterAll(() => world.close());

/** An image that nobody has declared before. */
const picture = (): Buffer =>
  png(pngChunk('tEXt', Buffer.from(`Comment\0${randomBytes(8).toString('hex')}`)));

/** Another credential of the same organization. */
async function colleague(
  role: 'uploader' | 'reader' | 'coordinator' = 'uploader',
  scopes: readonly Scope[] = SCOPES,
): Promise<Inspector> {
  const { organizationId } = tenant;
  const key = await world.organizations.createApiKey({ organizationId, name: 'colleague', role, scopes });
  return new Inspector(world.baseUrl, key);
}

const rowsOf = async <T extends object = any>(sql: string, ...values: unknown[]): Promise<T[]> =>
  (await world.admin.query<T>(sql, values)).rows;

describe('a file', () => {
  it('goes the way of the seed: presigned, PUT, complete, and then it is there', async () => {
    const bytes = picture();
    const declaration = declarationOf(bytes, 'image/png', { assetID: 'Turbine 7/Blade B' });
    const declared = await inspector.declare(declaration);
    expect(declared.status).toBe(201);
    expect(declared.headers.get('cache-control')).toBe('no-store');
    expect(declared.body).toEqual({
      data: { presignedURL: expect.any(String), id: expect.stringMatching(UUID) },
    });
    const { id, presignedURL } = declared.body.data;
    expect(new URL(presignedURL).searchParams.get('X-Amz-Expires')).toBe('900');
    expect(new URL(presignedURL).searchParams.get('X-Amz-SignedHeaders')).toBe(
      'content-length;content-type;host',
    );

    const about = { id, ...declaration, createdAt: expect.any(String) };
    const pending = await inspector.file(id);
    expect(pending.body).toEqual({ data: { ...about, status: 'pending' } });
    const early = await inspector.download(id);
    expect([early.status, early.body.error]).toEqual([400, 'Bad Request']);

    expect(await put(presignedURL, bytes, PNG)).toBe(200);
    const completed = await inspector.complete(id);
    expect([completed.status, completed.body]).toEqual([200, { data: { id, status: 'completed' } }]);
    expect(await inspector.complete(id.toUpperCase())).toMatchObject({ status: 200, body: completed.body });

    const file = await inspector.file(id);
    expect(file.body).toEqual({
      data: { ...about, status: 'completed', completedAt: expect.any(String) },
    });
    const download = await inspector.download(id);
    expect(download.headers.get('cache-control')).toBe('no-store');
    expect(download.body).toEqual({
      data: { presignedURL: expect.any(String), id, expiresAt: expect.any(String) },
    });
    const response = await fetch(download.body.data.presignedURL as string);
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${id}"`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);

    const again = await inspector.declare(declaration);
    expect([again.status, again.body]).toEqual([200, { data: { id } }]);
    expect(again.headers.get('cache-control')).toBe('no-store');
  });

  it('is sent by the very command of the seed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'scandock-inspect-'));
    const bytes = picture();
    writeFileSync(path.join(folder, 'file.png'), bytes);
    const run = promisify(execFile);
    const { stdout: hash } = await run('sh', [
      '-c',
      `sha256sum "$1" | awk '{print $1}' | xxd -r -p | base64`,
      'sh',
      path.join(folder, 'file.png'),
    ]).catch(() => ({ stdout: declarationOf(bytes).hash })); // where there is no xxd
    const declaration = declarationOf(bytes);
    expect(hash.trim()).toBe(declaration.hash);
    const { id, presignedURL } = await inspector.presigned(declaration);
    const { stdout } = await run('curl', [
      ...['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'PUT', '-H', 'Content-Type: image/png'],
      ...['--upload-file', path.join(folder, 'file.png'), presignedURL],
    ]);
    expect(stdout).toBe('200');
    expect((await inspector.complete(id)).body.data.status).toBe('completed');
    rmSync(folder, { recursive: true });
  });

  it('is refused by the bucket with another content type, with none, and with another length', async () => {
    const bytes = picture();
    const { id, presignedURL } = await inspector.presigned(declarationOf(bytes));
    expect(await put(presignedURL, bytes, { 'content-type': 'image/jpeg' })).toBe(403);
    expect(await put(presignedURL, bytes)).toBe(403);
    expect(await put(presignedURL, Buffer.concat([bytes, bytes]), PNG)).toBe(403);
    expect((await inspector.complete(id)).body).toEqual({
      error: 'Bad Request',
      errorDescription: 'Nothing has been PUT to the URL of this file yet.',
    });
  });

  it('is complete when nobody says so', async () => {
    const id = await inspector.send(picture());
    await eventually(
      async () => (await inspector.file(id)).body.data,
      ({ status }) => status === 'completed',
    );
  });

  it('keeps its bytes when its URL is used again', async () => {
    const bytes = picture();
    const { id, presignedURL } = await inspector.presigned(declarationOf(bytes));
    await put(presignedURL, bytes, PNG);
    expect((await inspector.complete(id)).body.data.status).toBe('completed');
    expect(await put(presignedURL, randomBytes(bytes.length), PNG)).toBe(200);
    expect((await inspector.complete(id)).body.data.status).toBe('completed');
    expect((await inspector.bytesOf(id)).equals(bytes)).toBe(true);
  });

  it('of a type nobody here can read is kept by its size and hash, and is never an image', async () => {
    const dicom = Buffer.from(ctInstance());
    for (const [bytes, type] of [
      [dicom, 'application/dicom'],
      [Buffer.from(`ISO-10303-21;${randomBytes(4).toString('hex')}`), 'application/step'],
    ] as const) {
      const id = await inspector.deliver(bytes, type);
      expect((await inspector.bytesOf(id)).equals(bytes)).toBe(true);
      const [{ upload_id }] = await rowsOf('SELECT upload_id FROM inspect_file WHERE id = $1', id);
      const upload = await inspector.get(`/uploads/${upload_id}`);
      expect(upload.body).toMatchObject({
        state: 'registered',
        surface: 'inspect',
        content_type: type,
        result: { kind: 'file' },
      });
      expect((await inspector.get(`/uploads/${upload_id}/download`)).status).toBe(404);
    }
    expect(await rowsOf('SELECT 1 FROM instance WHERE organization_id = $1', tenant.organizationId)).toEqual(
      [],
    );
    expect(await rowsOf('SELECT 1 FROM "order" WHERE organization_id = $1', tenant.organizationId)).toEqual(
      [],
    );
  });

  it('is in the ledger by ids, sizes and states alone', async () => {
    const bytes = picture();
    const declaration = declarationOf(bytes, 'image/png', { name: 'Zebulon.png', assetID: 'Zebulon’s' });
    const { id, presignedURL } = await inspector.presigned(declaration);
    await put(presignedURL, bytes, PNG);
    await inspector.complete(id);
    await inspector.complete(id);
    await inspector.file(id);
    await inspector.download(id);
    await inspector.declare(declaration);
    const events = await rowsOf(
      `SELECT action, outcome, detail FROM audit_event WHERE resource_type = 'InspectFile' AND resource_id = $1 ORDER BY id`,
      id,
    );
    const success = { outcome: 'success' };
    expect(events).toEqual([
      {
        ...success,
        action: 'inspect:presign',
        detail: { size: bytes.length, issued: true, replayed: false },
      },
      { ...success, action: 'inspect:complete', detail: { status: 'completed', repeated: false } },
      { ...success, action: 'inspect:complete', detail: { status: 'completed', repeated: true } },
      { ...success, action: 'inspect:read', detail: {} },
      { ...success, action: 'inspect:download', detail: {} },
      {
        ...success,
        action: 'inspect:presign',
        detail: { size: bytes.length, issued: false, replayed: false },
      },
    ]);
    const hex = Buffer.from(declaration.hash, 'base64').toString('hex');
    const [{ all }] = await rowsOf("SELECT string_agg(e::text, E'\\n') AS all FROM audit_event e");
    for (const secret of ['Zebulon', declaration.hash, hex]) expect(all).not.toContain(secret);
  });
});

describe('content that is there already', () => {
  it('is given to whoever may read it, and to nobody else', async () => {
    const bytes = picture();
    const owner = await colleague();
    const id = await owner.deliver(bytes);
    const declaration = declarationOf(bytes);
    const readers: [string, Inspector, number][] = [
      ['who uploaded it', owner, 200],
      ['who reads all', await colleague('coordinator'), 200],
      ['another device', await colleague(), 201],
      ['who reads all, by a credential that may not', await colleague('coordinator', ['files:write']), 201],
      ['another organization', new Inspector(world.baseUrl, (await world.newTenant()).apiKey), 201],
    ];
    for (const [who, by, status] of readers) {
      const answer = await by.declare(declaration);
      expect({ who, status: answer.status, same: answer.body.data.id === id }).toEqual({
        who,
        status,
        same: status === 200,
      });
    }
  });

  it('is another file with another type or size', async () => {
    const bytes = jpeg();
    const id = await inspector.deliver(bytes, 'image/jpeg');
    const same = declarationOf(bytes, 'image/jpeg');
    expect((await inspector.declare(same)).body.data.id).toBe(id);
    for (const other of [
      { ...same, contentType: 'application/step' },
      { ...same, size: same.size + 1 },
    ])
      expect((await inspector.declare(other)).status).toBe(201);
  });

  it('is not there before it is complete: two declarations get a URL each, and share the first object', async () => {
    const bytes = pdf(randomBytes(6).toString('hex'));
    const declaration = declarationOf(bytes, 'application/pdf');
    const [first, second] = [await inspector.presigned(declaration), await inspector.presigned(declaration)];
    expect(first.id).not.toBe(second.id);
    for (const { id, presignedURL } of [second, first]) {
      expect(await put(presignedURL, bytes, { 'content-type': 'application/pdf' })).toBe(200);
      expect((await inspector.complete(id)).body.data).toEqual({ id, status: 'completed' });
    }
    const objects = await rowsOf(
      `SELECT u.duplicate, o.key LIKE 'objects/%/' || f2.upload_id || '/%' AS of_second FROM inspect_file f
       JOIN upload u ON u.id = f.upload_id JOIN stored_object o ON o.id = u.stored_object_id, inspect_file f2
       WHERE f2.id = $2 AND f.id = ANY (ARRAY[$1, $2]::uuid[]) ORDER BY f.id = $2 DESC`,
      first.id,
      second.id,
    );
    expect(objects).toEqual([
      { duplicate: false, of_second: true },
      { duplicate: true, of_second: true },
    ]);
    expect((await inspector.bytesOf(first.id)).equals(bytes)).toBe(true);
  });
});

describe('content that is not what was declared', () => {
  it.each<[string, (right: Buffer) => Buffer, string]>([
    ['hash', ({ length }) => randomBytes(length), 'The object has another SHA-256 than was declared.'],
    ['size', (right) => right.subarray(1), 'The object has another size than was declared.'],
  ])('by its %s is quarantined, and another attempt completes the file', async (_, spoil, words) => {
    const bytes = picture();
    const declaration = { ...declarationOf(bytes), id: crypto.randomUUID() };
    const { id, presignedURL } = await inspector.presigned(declaration);
    expect(id).toBe(declaration.id);
    // Past the URL, which would hold an honest bucket to the size.
    const uploadId = new URL(presignedURL).pathname.split('/').at(-1)!;
    await stage(world.s3, tenant.organizationId, uploadId, spoil(bytes));
    const refused = await inspector.complete(id);
    expect([refused.status, refused.body]).toEqual([400, { error: 'Bad Request', errorDescription: words }]);
    expect((await inspector.complete(id)).body).toEqual(refused.body);
    expect((await inspector.file(id)).body.data.status).toBe('pending');
    expect((await inspector.download(id)).status).toBe(400);

    const next = await inspector.presigned(declaration);
    expect(next.id).toBe(id);
    const waiting = await inspector.complete(id);
    expect(waiting.body.errorDescription).toBe('Nothing has been PUT to the URL of this file yet.');
    await put(next.presignedURL, bytes, PNG);
    expect((await inspector.complete(id)).body.data.status).toBe('completed');
    expect((await inspector.bytesOf(id)).equals(bytes)).toBe(true);
    const attempts = await rowsOf(
      'SELECT state::text, stored_object_id IS NOT NULL AS kept FROM upload WHERE inspect_file_id = $1 ORDER BY id',
      id,
    );
    expect(attempts).toEqual([
      { state: 'rejected', kept: false },
      { state: 'registered', kept: true },
    ]);
  });

  it('by its type is refused by its rule, though size and hash are right', async () => {
    for (const [bytes, type] of [
      [pdf(randomBytes(6).toString('hex')), 'image/png'],
      [picture(), 'application/pdf'],
      [picture().subarray(0, -6), 'image/png'],
    ] as const) {
      const id = await inspector.send(bytes, type);
      expect(await inspector.complete(id)).toMatchObject({
        status: 400,
        body: {
          error: 'Bad Request',
          errorDescription: 'The content is not a complete and well-formed document of its content type.',
        },
      });
      expect((await inspector.declare(declarationOf(bytes, type))).status).toBe(201); // not held, but declared again
    }
  });
});

it('leaves ledger, index and bucket in agreement', async () => {
  expect(await findDisagreements(world, tenant.organizationId)).toEqual([]);
});
