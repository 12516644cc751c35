import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../src/platform/embedded/local-state.js';
import { Client, eventually, tokenFor } from '../support/client.js';
import { isAlive, launch, type Launched } from '../support/launcher.js';

const folder = mkdtempSync(path.join(tmpdir(), 'scandock-start-'));
const port = String(await freePort(0));
let running: Launched | undefined;
afterAll(async () => {
  await running?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const demo = () => JSON.parse(readFileSync(path.join(folder, 'demo.json'), 'utf8'));
const allGone = (pids: number[]) =>
  eventually(
    () => Promise.resolve(pids.filter(isAlive)),
    (alive) => alive.length === 0,
  );

describe('npm start', () => {
  it('brings up a running product with a demo study, and says how to use it', async () => {
    running = await launch(folder, { PORT: port });
    const facts = demo();
    expect(Object.keys(facts).sort()).toEqual(
      ['adminClientId', 'adminClientSecret', 'apiKey', 'auditorClientId', 'auditorClientSecret', 'baseUrl', 'caseId', 'clientId',
       'clientSecret', 'mailboxUrl', 'organizationId', 'other', 'patientEmail', 'portalApiKey', 'shareUrl', 'staffEmail', 'viewerUrl'], // prettier-ignore
    );
    expect(Object.keys(facts.other).sort()).toEqual(['clientId', 'clientSecret', 'organizationId']);
    expect(statSync(path.join(folder, 'demo.json')).mode & 0o777).toBe(0o600);
    expect(facts.baseUrl).toBe(`http://127.0.0.1:${port}`);
    for (const link of [facts.shareUrl, facts.viewerUrl]) {
      const page = await (await fetch(link)).text();
      expect(page).toContain('Demo Phantom');
      expect(page).toContain('64 of 64 ready');
    }
    expect((await new Client(facts.baseUrl).get('/readyz')).body).toEqual({
      status: 'ok',
      dependencies: { database: 'up', storage: 'up', queue: 'up' },
    });
  }, 120_000);

  it('prints a walk-through that works when it is pasted into a shell', () => {
    const text = running!.output();
    const script = text.slice(text.indexOf('\nAPI='), text.indexOf('\nCtrl-C'));
    for (const shell of ['bash', 'sh']) {
      const result = spawnSync(shell, [], {
        input: script,
        encoding: 'utf8',
        env: { PATH: process.env.PATH! },
        timeout: 140_000,
      });
      expect(result.stderr).toBe('');
      const [confirmed, exam, , completed, explained, uploaded, listed, users] = result.stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
      expect(confirmed).toMatchObject({ ok: true, status: 'ready' });
      expect(exam).toMatchObject({ ingestion_status: 'registered', patient_name: 'Jane Doe' });
      expect(completed.data).toEqual({ id: expect.any(String), status: 'completed' });
      expect(explained).toMatchObject({ allowed: false, reason: 'scope_missing' });
      expect(uploaded).toMatchObject({ status: 200, data: { fileName: 'note.txt', caseId: demo().caseId } });
      expect(listed.data.files[0].id).toBe(uploaded.data.id);
      expect(users.items.map(({ email }: { email: string }) => email).sort()).toEqual(
        [demo().patientEmail, demo().staffEmail].sort(),
      );
    }
  }, 300_000);

  it('has two organizations that cannot see each other', async () => {
    const facts = demo();
    const mine = new Client(facts.baseUrl, await tokenFor(facts.baseUrl, facts));
    const other = new Client(facts.baseUrl, await tokenFor(facts.baseUrl, facts.other));
    const { items } = (await mine.get('/api/v1/exams')).body;
    expect(items.length).toBeGreaterThan(0);
    expect((await other.get('/api/v1/exams')).body.items).toEqual([]);
    expect((await other.get(`/api/v1/exams/${items[0].exam_id}`)).status).toBe(404);
  });

  it('refuses to start twice on one folder', async () => {
    await expect(launch(folder, { PORT: String(await freePort(0)) })).rejects.toThrow('already runs');
  });

  it('ends every process it began on Ctrl-C, and keeps the data for the next start', async () => {
    const before = demo();
    const family = running!.family();
    expect(family.length).toBeGreaterThanOrEqual(5); // launcher, embedded parts, Postgres, worker, API
    expect(await running!.stop('SIGINT')).toBe(0);
    await allGone(family);
    running = await launch(folder, { PORT: port });
    expect(demo()).toEqual(before);
    expect(await (await fetch(before.shareUrl)).text()).toContain('64 of 64 ready');
  }, 120_000);

  it('takes its children along when it is killed, and starts again after that', async () => {
    const family = running!.family();
    await running!.stop('SIGKILL');
    await allGone(family);
    running = await launch(folder, { PORT: port, SCANDOCK_DEMO: 'false' });
    expect((await new Client(demo().baseUrl).get('/readyz')).status).toBe(200);
  }, 120_000);

  it('says which variable is wrong and why, before it starts anything', async () => {
    await expect(launch(mkdtempSync(path.join(folder, 'bad-')), { PORT: 'x' })).rejects.toThrow(/PORT/);
    await expect(
      launch(mkdtempSync(path.join(folder, 'bad-')), {
        PORT: String(await freePort(0)),
        WORKER_CONCURRENCY: '-1',
      }),
    ).rejects.toThrow(/WORKER_CONCURRENCY/);
  });
});
