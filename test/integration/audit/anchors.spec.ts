import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { anchorKey, anchorText, parseAnchor } from '../../../src/modules/audit/anchor.js';
import { VerificationService } from '../../../src/modules/audit/verification.service.js';
import { plantExport } from '../../../src/modules/audit/verification/planted-export.fixture.js';
import { BucketAnchors, UrlAnchors } from '../../../src/modules/audit/worker/anchor-places.js';
import { Anchoring } from '../../../src/modules/audit/worker/anchoring.js';
import { AuditGauges } from '../../../src/modules/audit/worker/audit-gauges.js';
import { anchorsAround } from '../../../src/modules/audit/verification/anchor-check.js';
import { LedgerRewritten } from '../../../src/modules/audit/worker/next-head.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { metrics } from '../../../src/platform/health/metrics.js';
import { signWebhook } from '../../../src/platform/outbound/webhook-signature.js';
import { Client } from '../../support/client.js';
import { asSuperuser, putBack } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(120_000);
const run = promisify(execFile);
const KEY = Buffer.alloc(32, 5).toString('base64');

let world: World;
let worker: INestApplicationContext;
let sealer: SealerService;
let anchoring: Anchoring;
let tenant: Tenant;
let receiver: Server;
let answer = 204;
let received: { id: string; body: string; headers: Record<string, string> }[] = [];
let offset = 0;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const headers = request.headers as Record<string, string>;
      if (answer < 300)
        received.push({ id: headers['webhook-id']!, body: Buffer.concat(parts).toString(), headers });
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  world = await createWorld({
    AUDIT_SEAL_INTERVAL_MS: '86400000',
    RECONCILE_INTERVAL_MS: '86400000',
    AUDIT_ANCHOR_URL: `http://${host}/heads`,
    AUDIT_ANCHOR_SECRET: KEY,
    OUTBOUND_PRIVATE_HOSTS: host,
  });
  worker = await world.startWorker();
  worker.get(Clock, { strict: false }).now = () => new Date(Date.now() + offset);
  sealer = worker.get(SealerService, { strict: false });
  anchoring = worker.get(Anchoring, { strict: false });
  tenant = await world.newTenant();
}, 120_000);
afterAll(async () => {
  receiver.close();
  await world.close();
});
beforeEach(() => {
  answer = 204;
  offset += 120_000; // whatever was refused is due again
});

/** As another process would begin. */
const restarted = () =>
  new Anchoring(
    worker.get(DatabaseService, { strict: false }),
    worker.get(Clock),
    worker.get(BucketAnchors, { strict: false }),
    worker.get(UrlAnchors, { strict: false }),
  );
const act = () => new Client(world.baseUrl, tenant.apiKey).get('/api/v1/exams');
const noted = async (place: string) =>
  (
    await world.admin.query<{ n: number }>(
      'SELECT seal_number::int AS n FROM audit_anchor WHERE place = $1 ORDER BY 1',
      [place],
    )
  ).rows.map(({ n }) => n);
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);
const inBucket = async (seal: number) => {
  const { Body } = await world.s3.send(new GetObjectCommand({ Bucket: 'scandock', Key: anchorKey(seal) }));
  return Body!.transformToString();
};
const verify = () =>
  world.api.app.get(VerificationService, { strict: false }).verify(tenant.organizationId, {});
const gauge = async (name: string) => {
  const { values } = await metrics.getSingleMetric(name)!.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.place ?? ''), value]));
};

describe('heads of seals', () => {
  it('come into the bucket and to the receiver, signed and in order', async () => {
    await act();
    await sealer.seal();
    const last = await sealer.seal();
    await anchoring.run();
    expect(await noted('bucket')).toEqual(upTo(last));
    expect(await noted('url')).toEqual(upTo(last));
    expect(received.map(({ id }) => id)).toEqual(upTo(last).map((seal) => `seal-${seal}`));
    for (const { id, body, headers } of received) {
      const sent = new Date(1000 * Number(headers['webhook-timestamp']));
      expect(headers).toMatchObject(signWebhook(Buffer.from(KEY, 'base64'), id, sent, body));
    }
    for (const seal of upTo(last)) {
      const text = await inBucket(seal);
      expect(text).toBe(received[seal - 1]!.body);
      expect(anchorText(parseAnchor(text)!)).toBe(text);
    }
    expect(await verify()).toMatchObject({ valid: true, anchored_through: expect.any(String) });
  });

  it('that a receiver missed while it was down reach it when it is back, and the bucket waits for nobody', async () => {
    answer = 503;
    const before = received.length;
    await sealer.seal();
    const last = await sealer.seal();
    await anchoring.run();
    expect((await noted('bucket')).at(-1)).toBe(last);
    expect((await noted('url')).at(-1)).toBe(last - 2);
    await worker.get(AuditGauges, { strict: false }).run();
    expect(await gauge('scandock_audit_anchor_behind')).toEqual({ bucket: 0, url: 2 });
    answer = 200;
    await anchoring.run(); // too early to ask again
    expect(received).toHaveLength(before);
    offset += 120_000;
    await anchoring.run();
    expect(await noted('url')).toEqual(upTo(last));
    expect(received.slice(before).map(({ id }) => id)).toEqual([`seal-${last - 1}`, `seal-${last}`]);
  });

  it('that were taken by a process which died before it noted that are noted by the next', async () => {
    const last = await sealer.seal();
    await anchoring.run();
    const text = await inBucket(last);
    await asSuperuser(world.admin, (client) =>
      client.query(`DELETE FROM audit_anchor WHERE place = 'bucket' AND seal_number = $1`, [last]),
    );
    await restarted().run();
    expect(await noted('bucket')).toEqual(upTo(last));
    expect(await inBucket(last)).toBe(text);
  });

  it('are taken, and told of, whatever the database says of where they are', async () => {
    let taken = await sealer.seal();
    await anchoring.run();
    const forge = async () => {
      await world.admin.query(
        `INSERT INTO audit_anchor VALUES ('bucket', 4503599627370496, now()), ('url', 4503599627370496, now())`,
      );
      for (const one of [anchoring, restarted()]) {
        answer = 503;
        offset += 120_000;
        const last = await sealer.seal();
        await one.run();
        await worker.get(AuditGauges, { strict: false }).run();
        expect((await gauge('scandock_audit_anchor_behind')).url).toBe(last - taken);
        answer = 204;
        offset += 120_000;
        received = [];
        await one.run();
        expect(parseAnchor(await inBucket(last))).toMatchObject({ seal: last });
        expect(received.map(({ id }) => id)).toEqual([`seal-${last}`]); // and not all there ever were
        taken = last;
      }
    };
    await forge().finally(() =>
      asSuperuser(world.admin, (client) =>
        client.query('DELETE FROM audit_anchor WHERE seal_number > 1000000'),
      ),
    );
  });

  it('are never written over others, and that is said', async () => {
    const Key = anchorKey((await noted('bucket')).at(-1)! + 1);
    await world.s3.send(new PutObjectCommand({ Bucket: 'scandock', Key, Body: 'other' }));
    const last = await sealer.seal();
    await anchoring.run();
    expect(await inBucket(last)).toBe('other');
    expect((await noted('bucket')).at(-1)).toBe(last - 1);
    expect(await gauge('scandock_audit_anchor_conflicts_total')).toEqual({ '': 1 });
    await world.s3.send(new DeleteObjectCommand({ Bucket: 'scandock', Key }));
    offset += 120_000;
    await anchoring.run();
    expect(await noted('bucket')).toEqual(upTo(last));
  });

  it('show that the end of the ledger was cut off with all its heads', async () => {
    await act();
    const last = await sealer.seal();
    await anchoring.run();
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, async (client) => {
        await client.query(
          'DELETE FROM audit_event WHERE id = ANY (SELECT unnest(event_ids) FROM audit_tree WHERE seal_number = $1)',
          [last],
        );
        await client.query('DELETE FROM audit_tree WHERE seal_number = $1', [last]);
        await client.query('DELETE FROM audit_seal WHERE number = $1', [last]);
        await client.query('DELETE FROM audit_anchor WHERE seal_number = $1', [last]);
      });
      expect(await verify()).toMatchObject({
        valid: false,
        first_bad: { seal: last, why: expect.stringMatching(/^truncated: /) },
      });
      // And when the ledger goes on as if nothing had been, which it does in a process that knows of nothing.
      await expect(sealer.seal()).rejects.toThrow(LedgerRewritten);
      const database = worker.get(DatabaseService, { strict: false });
      await new SealerService(world.workerConfig, database, worker.get(Clock)).seal();
      expect(await verify()).toMatchObject({
        valid: false,
        first_bad: { seal: last, why: expect.stringMatching(/^anchor: /) },
      });
    });
    expect(await verify()).toMatchObject({ valid: true });
  });

  it('are found however long ago the last of them was taken', async () => {
    const storage = worker.get(StorageService, { strict: false });
    const all = await anchorsAround(storage, 0);
    expect(all).toEqual(await noted('bucket'));
    for (const later of [1, 499, 501, 1_000, 1_000_000])
      expect((await anchorsAround(storage, all.at(-1)! + later)).at(-1)).toBe(all.at(-1));
  });
});

describe('the commands', () => {
  it('rotate-seal-key: the new key signs, and all verify', async () => {
    await act();
    const { DATABASE_URL, SCANDOCK_MASTER_KEY } = world.workerEnvironment;
    const env = { PATH: process.env.PATH, DATABASE_URL, SCANDOCK_MASTER_KEY };
    const { stdout } = await run(process.execPath, ['dist/main.js', 'rotate-seal-key'], { env });
    const { kid, former } = JSON.parse(stdout) as { kid: string; former: string };
    await act();
    await sealer.seal();
    const { items } = (await new Client(world.baseUrl, tenant.apiKey).get('/api/v1/audit/seals')).body;
    expect(items[0].kid).toBe(kid);
    expect(items.at(-1).kid).toBe(former);
    const keys = (await new Client(world.baseUrl, tenant.apiKey).get('/api/v1/audit/keys')).body;
    expect(keys.keys.map((key: { kid: string }) => key.kid)).toEqual([kid, former]);
    expect(
      (await new Client(world.baseUrl, tenant.apiKey).post('/api/v1/audit/verify', {})).body,
    ).toMatchObject({
      valid: true,
    });
    const { rows } = await world.admin.query(
      `SELECT detail FROM audit_event WHERE action = 'seal-keys:rotate'`,
    );
    expect(rows).toEqual([{ detail: { former } }]);
    const asApp = run(process.execPath, ['dist/main.js', 'rotate-seal-key'], {
      env: { ...env, DATABASE_URL: world.environment.DATABASE_URL },
    });
    await expect(asApp).rejects.toMatchObject({ stderr: expect.stringContaining('scandock_worker') });
  });

  it('audit verify: without any configuration, by its exit code and its words', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'scandock-verify-'));
    const at = (name: string) => path.join(folder, name);
    const made = await plantExport([3, 4]);
    const write = () => writeFile(at('e.ndjson'), made.events.map((line) => `${line}\n`).join(''));
    await write();
    await writeFile(at('e.manifest.ndjson'), made.manifest.map((line) => `${line}\n`).join(''));
    await writeFile(at('keys.json'), made.jwks);
    const command = (...args: string[]) =>
      run(process.execPath, ['dist/main.js', 'audit', ...args], { env: { PATH: process.env.PATH } }).then(
        ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
        ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
          code,
          stdout,
          stderr,
        }),
      );
    const good = await command('verify', at('e.ndjson'), '--keys', at('keys.json'));
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^VALID\n[^]*positions 1 to 7[^]*not proved:/),
    });
    made.events[4] = made.events[4]!.replace('192.0.2.1', '192.0.2.2');
    await write();
    const bad = await command('verify', at('e.ndjson'), '--keys', at('keys.json'), '--json');
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      valid: false,
      first_bad: { seq: 5, line: 5, id: made.ids[4] },
    });
    for (const args of [
      ['verify', at('e.ndjson')],
      ['verify', at('none.ndjson'), '--keys', at('keys.json')],
      ['verify', at('e.ndjson'), '--keys', at('e.ndjson')],
      ['verify', folder, '--keys', at('keys.json')],
      ['other'],
    ]) {
      const told = await command(...args);
      expect(told).toMatchObject({ code: 2, stdout: '' });
      expect(told.stderr).not.toContain('    at ');
    }
    await rm(folder, { recursive: true });
  });
});
