import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { png, pngChunk } from '../../../src/formats/document/document.fixture.js';
import { type Answer, eventually, put } from '../../support/client.js';
import { declarationOf, Inspector } from '../../support/inspector.js';
import { findDisagreements } from '../../support/ledger-checks.js';
import { pause } from '../../support/uploader.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const PNG = { 'content-type': 'image/png' };
const NOT_LANDED = 'Nothing has been PUT to the URL of this file yet.';
const OTHER_HASH = 'The object has another SHA-256 than was declared.';
/** How long a completion waits here, in milliseconds. */
const WAIT_MS = 3_000;

let world: World;
let tenant: Tenant;
let inspector: Inspector;

beforeAll(async () => {
  // Fewer connections than callers, and no reconciler: what is noticed, these calls notice.
  world = await createWorld({
    INSPECT_WAIT_MS: String(WAIT_MS),
    DATABASE_POOL_SIZE: '2',
    RECONCILE_INTERVAL_MS: '3600000',
    RATE_LIMIT_PER_MINUTE: '100000',
  });
  tenant = await world.newTenant();
  inspector = new Inspector(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

const picture = (): Buffer =>
  png(pngChunk('tEXt', Buffer.from(`Comment\0${randomBytes(8).toString('hex')}`)));

async function statesOf(id: string): Promise<string[]> {
  const { rows } = await world.admin.query<{ state: string }>(
    'SELECT state::text FROM upload WHERE inspect_file_id = $1 ORDER BY id',
    [id],
  );
  return rows.map(({ state }) => state);
}

const completed = (id: string): object => ({ status: 200, body: { data: { id, status: 'completed' } } });
const refused = (errorDescription: string): object => ({
  status: 400,
  body: { error: 'Bad Request', errorDescription },
});
const only = ({ status, body }: Answer): object => ({ status, body });

describe('while no worker runs', () => {
  it('answers pending after its wait, and has noticed what landed', async () => {
    const id = await inspector.send(picture());
    const begun = performance.now();
    const answer = await inspector.complete(id);
    expect(only(answer)).toEqual({ status: 200, body: { data: { id, status: 'pending' } } });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(WAIT_MS);
    expect(await statesOf(id)).toEqual(['landed']);
    expect((await inspector.file(id)).body.data.status).toBe('pending');
    const { rows } = await world.admin.query(
      `SELECT action, detail FROM audit_event WHERE request_id = $1 ORDER BY action`,
      [answer.headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      { action: 'inspect:complete', detail: { status: 'pending', repeated: false } },
      { action: 'uploads:land', detail: { count: 1 } },
    ]);
  });

  it('says at once that nothing landed, to no harm', async () => {
    const { id } = await inspector.presigned(declarationOf(picture()));
    const begun = performance.now();
    expect(only(await inspector.complete(id))).toEqual(refused(NOT_LANDED));
    expect(performance.now() - begun).toBeLessThan(WAIT_MS);
    expect(await statesOf(id)).toEqual(['issued']);
  });

  it('holds nothing of the database while it waits: others are answered', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => inspector.send(picture())));
    world.config.INSPECT_WAIT_MS = 30_000;
    let over = false;
    const waiting = Promise.all(ids.map((id) => inspector.complete(id))).then((answers) => {
      over = true;
      return answers;
    });
    for (const id of ids)
      await eventually(
        () => statesOf(id),
        ([state]) => state === 'landed',
      );
    for (const id of ids) expect((await inspector.file(id)).status).toBe(200);
    expect(over).toBe(false);
    world.config.INSPECT_WAIT_MS = 0;
    expect((await waiting).map(({ body }) => body.data.status)).toEqual(ids.map(() => 'pending'));
  });
});

describe('once a worker runs', () => {
  beforeAll(() => {
    world.config.INSPECT_WAIT_MS = 30_000; // however busy the machine is
  });

  it('tells those who waited what became of what they waited for, another URL notwithstanding', async () => {
    const bytes = picture();
    const declaration = { ...declarationOf(bytes), id: randomUUID() };
    const first = await inspector.presigned(declaration);
    await put(first.presignedURL, randomBytes(bytes.length), PNG);
    const waiting = inspector.complete(first.id);
    await pause(500);
    const second = await inspector.presigned(declaration);
    await world.startWorker();
    expect(only(await waiting)).toEqual(refused(OTHER_HASH));
    expect(await statesOf(first.id)).toEqual(['rejected', 'issued']);
    expect(only(await inspector.complete(first.id))).toEqual(refused(NOT_LANDED));
    await put(second.presignedURL, bytes, PNG);
    expect(await inspector.complete(first.id)).toMatchObject(completed(first.id));
  });

  it('gives ten callers at once one answer', async () => {
    const good = await inspector.send(picture());
    const bytes = picture();
    const { id: bad, presignedURL } = await inspector.presigned(declarationOf(bytes));
    await put(presignedURL, randomBytes(bytes.length), PNG);
    for (const [id, answer] of [
      [good, completed(good)],
      [bad, refused(OTHER_HASH)],
    ] as const) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => inspector.complete(id)));
      for (const one of answers) expect(only(one)).toEqual(answer);
    }
    expect([await statesOf(good), await statesOf(bad)]).toEqual([['registered'], ['rejected']]);
  });

  it('is completed by whichever attempt lands, and by a later one no more', async () => {
    const bytes = picture();
    const declaration = { ...declarationOf(bytes), id: randomUUID() };
    const [older, newer] = [await inspector.presigned(declaration), await inspector.presigned(declaration)];
    await put(older.presignedURL, bytes, PNG);
    expect(await inspector.complete(older.id)).toMatchObject(completed(older.id));
    const before = (await inspector.file(older.id)).body;
    await put(newer.presignedURL, bytes, PNG);
    const uploadId = new URL(newer.presignedURL).pathname.split('/').at(-1);
    expect((await inspector.post(`/uploads/${uploadId}/complete`)).status).toBe(200);
    for (let n = 0; n < 100 && (await statesOf(older.id))[1] !== 'registered'; n++) await pause(100);
    expect(await statesOf(older.id)).toEqual(['registered', 'registered']);
    expect((await inspector.file(older.id)).body).toEqual(before);
  });

  it('finds what landed behind an expired URL', async () => {
    const id = await inspector.send(picture());
    await world.admin.query(
      `UPDATE upload SET state = 'expired', url_expires_at = now() - interval '1 hour' WHERE inspect_file_id = $1`,
      [id],
    );
    expect(await inspector.complete(id)).toMatchObject(completed(id));
    const stale = await inspector.send(picture());
    await world.admin.query(
      `UPDATE upload SET state = 'expired', url_expires_at = now() - interval '25 hours' WHERE inspect_file_id = $1`,
      [stale],
    );
    expect(only(await inspector.complete(stale))).toEqual(refused(NOT_LANDED));
  });

  it('is gone with its bytes, when those are deleted', async () => {
    const bytes = picture();
    const id = await inspector.deliver(bytes);
    await world.admin.query(
      `UPDATE upload SET state = 'deleted', state_changed_at = now(), deleted_at = now() WHERE inspect_file_id = $1`,
      [id],
    );
    for (const answer of [
      await inspector.file(id),
      await inspector.download(id),
      await inspector.complete(id),
      await inspector.declare({ ...declarationOf(bytes), id }),
    ])
      expect(answer.status).toBe(404);
    expect((await inspector.declare(declarationOf(bytes))).status).toBe(201);
  });

  it('leaves ledger, index and bucket in agreement', async () => {
    expect(await findDisagreements(world, tenant.organizationId)).toEqual([]);
  });
});
