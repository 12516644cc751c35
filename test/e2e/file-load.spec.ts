import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { png, pngChunk } from '../../src/formats/document/document.fixture.js';
import { freePort } from '../../src/platform/embedded/local-state.js';
import type { Answer } from '../support/client.js';
import { Clinic, type Patient } from '../support/clinic.js';
import { findDisagreements } from '../support/ledger-checks.js';
import { OwnProcess } from '../support/processes.js';
import { pause } from '../support/uploader.js';
import { createWorld, type World } from '../support/world.js';

const MEGABYTE = 1024 * 1024;
const UPLOADS = 100;
const PATIENTS = 5;
const SIZE = 10 * MEGABYTE;
const MOST_MEMORY = 1.5 * 1024 * MEGABYTE;
const UPLOAD = '/api/v1/users/me/files/upload';

let world: World;
let clinic: Clinic;
let api: OwnProcess;
let worker: OwnProcess;
let port: number;
/** For what is asked meanwhile, in milliseconds: longer where other programs go first. */
let mostDelay: number;

beforeAll(async () => {
  world = await createWorld({ FILES_MAX_BYTES: String(20 * MEGABYTE) });
  port = await freePort(0);
  // Tokens are signed by the API of this process, and taken by the other, which has the same name.
  api = await OwnProcess.start('api', { ...world.environment, PORT: String(port) });
  worker = await OwnProcess.start('worker', world.workerEnvironment);
  mostDelay = prefer(api.pid) ? 200 : 2000;
  clinic = await Clinic.open({ ...world, baseUrl: `http://127.0.0.1:${port}` });
}, 60_000);
afterAll(async () => {
  await Promise.all([api.stop(), worker.stop()]);
  await world.close();
}, 60_000);

/** As on a machine of its own. Only root may: for others what else runs here is measured, too. Returns whether it may. */
function prefer(pid: number): boolean {
  try {
    setPriority(pid, -15);
    return true;
  } catch {
    return false;
  }
}

/** Bytes of memory the API's process has held at most, or holds now. */
const memory = (which: 'VmHWM' | 'VmRSS'): number =>
  1024 *
  Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${api.pid}/status`, 'utf8'))![1]);

interface Probed {
  milliseconds: number[];
  failures: number;
  /** How late a process was let run that had nothing else to do: the 95th percentile, in milliseconds. */
  late: number;
}
/** Asks for /healthz until it is stopped. */
function probe(): () => Promise<Probed> {
  const script = fileURLToPath(new URL('./health-probe.mjs', import.meta.url));
  const child = fork(script, [`http://127.0.0.1:${port}/healthz`, '50'], { execArgv: [] });
  prefer(child.pid!);
  return async () => {
    child.send('stop');
    const [probed] = (await once(child, 'message')) as [Probed];
    return probed;
  };
}

/** By the API's own account, the 99th percentile of the event loop's delay since it was asked last, in milliseconds. */
async function loopDelay(): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return 1000 * Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(metrics)![1]);
}

interface Sending {
  request: ClientRequest;
  /** Rejects when the connection is cut before there was an answer. */
  answer: Promise<Omit<Answer, 'headers'>>;
}
/** The head of an upload; its body is written by the caller. */
function begin(patient: Patient, headers: Record<string, string | number>): Sending {
  const sent = request({
    ...{ host: '127.0.0.1', port, path: UPLOAD, method: 'POST', agent: false },
    headers: { ...patient.credentials, 'content-type': 'application/json', ...headers },
  });
  const answer = new Promise<Omit<Answer, 'headers'>>((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      response.toArray().then((parts: Buffer[]) => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode!, text, body: JSON.parse(text) });
      }, reject);
    });
  });
  answer.catch(() => undefined);
  sent.flushHeaders();
  return { request: sent, answer };
}

/** A file whose first bytes differ from the others'; the text of the rest is there once. */
interface Content {
  mimeType: string;
  head: Buffer;
  rest: Buffer;
  restText: Buffer;
}
const contentOf = (mimeType: string, head: Buffer, rest: Buffer): Content => ({
  ...{ mimeType, head, rest },
  restText: Buffer.from(rest.toString('base64')),
});

async function send(
  patient: Patient,
  { mimeType, head, restText }: Content,
): Promise<Omit<Answer, 'headers'>> {
  const before = Buffer.from(`{"name":"file","mimeType":"${mimeType}","data":"${head.toString('base64')}`);
  const after = Buffer.from('"}');
  const length = before.length + restText.length + after.length;
  const { request, answer } = begin(patient, { 'content-length': length });
  request.write(before);
  request.write(restText);
  request.end(after);
  return answer;
}

it(`takes ${UPLOADS} files of 10 MB at once in bounded memory, and answers all the while`, async () => {
  const patients = await Promise.all(Array.from({ length: PATIENTS }, () => clinic.admit()));
  const text = contentOf(
    'text/plain',
    Buffer.alloc(0),
    Buffer.alloc(SIZE - 48, 'Blood pressure 120/80, pulse 60\n'),
  );
  const comment = Buffer.concat([Buffer.from('Comment\0'), Buffer.alloc(SIZE - 100, 'x')]);
  const pngContent = contentOf('image/png', Buffer.alloc(0), png(pngChunk('tEXt', comment)));
  const contents = Array.from({ length: UPLOADS }, (_, index) =>
    index % 4 === 3 ? pngContent : { ...text, head: Buffer.from(`Note ${index}`.padEnd(47) + '\n') },
  );
  await loopDelay(); // from here on
  const stop = probe();
  const begun = performance.now();
  const answers = await Promise.all(
    contents.map((content, index) => send(patients[index % PATIENTS]!.patient, content)),
  );
  const seconds = (performance.now() - begun) / 1000;
  const { milliseconds, failures, late } = await stop();
  const delay = await loopDelay();
  const at = (share: number) => milliseconds[Math.ceil(milliseconds.length * share) - 1]!;
  const figures = `${seconds.toFixed(1)} s; /healthz p50 ${at(0.5).toFixed(0)}, p99 ${at(0.99).toFixed(0)}, most ${at(1).toFixed(0)} ms of ${milliseconds.length}; loop p99 ${delay.toFixed(0)} ms; a process that only waits ${late.toFixed(0)} ms late; API ${(memory('VmHWM') / MEGABYTE).toFixed(0)} MB at most`;
  process.stdout.write(`${figures}\n`);

  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  for (const index of [0, 3, 50, 99]) {
    const { head, rest } = contents[index]!;
    const { bytes } = await patients[index % PATIENTS]!.patient.fetch(answers[index]!.body.data.id);
    expect(bytes.equals(Buffer.concat([head, rest]))).toBe(true);
  }
  expect(memory('VmHWM')).toBeLessThan(MOST_MEMORY);
  expect(failures).toBe(0);
  // Where nothing else runs all of them are; 2 cores that clients, bucket, worker and other tests share owe nobody a last
  // percent, and when they are burdened, nobody runs at his time.
  const limit = mostDelay + 20 * late;
  expect(at(0.95)).toBeLessThan(limit);
  expect(delay).toBeLessThan(limit);
  expect(await findDisagreements(world, clinic.tenant.organizationId)).toEqual([]);
}, 120_000);

describe('a body that cannot be taken', () => {
  const tooLarge = {
    status: 413,
    success: false,
    error: 'The request body is too large.',
    code: 'VALIDATION_ERROR',
  };

  it('is refused by its announced length, before a byte of it is there', async () => {
    const { patient } = await clinic.admit();
    const { request, answer } = begin(patient, { 'content-length': 60 * MEGABYTE });
    expect((await answer).body).toEqual(tooLarge);
    request.destroy();
  });

  it('and never ends is cut off, and is not held', async () => {
    const { patient } = await clinic.admit();
    const before = memory('VmRSS');
    const { request, answer } = begin(patient, { 'transfer-encoding': 'chunked' });
    let [sent, most, over] = [0, 0, false];
    answer.then(
      () => (over = true),
      () => (over = true),
    );
    request.write('{"data":"');
    for (const piece = Buffer.alloc(MEGABYTE, 'A'); !over; sent += piece.length) {
      const written = new Promise((resolve) => request.write(piece, resolve));
      await Promise.race([written, answer.catch(() => undefined)]);
      most = Math.max(most, memory('VmRSS'));
    }
    const outcome = await answer.then(
      ({ body }) => body as unknown,
      () => 'cut',
    );
    expect([tooLarge, 'cut']).toContainEqual(outcome);
    expect(sent).toBeLessThan(100 * MEGABYTE);
    expect(most - before).toBeLessThan(100 * MEGABYTE);
  }, 60_000);
});

/** Sends `rate` bytes a second; `stop` hangs up. */
function slowly(sender: Patient, rate = 1024): { outcome: Promise<number | 'cut'>; stop(): void } {
  const { request, answer } = begin(sender, { 'content-length': 10 * MEGABYTE });
  request.write('{"data":"');
  const timer = setInterval(() => request.write(Buffer.alloc(rate, 'A')), 1_000);
  const outcome = answer
    .then(
      ({ status }) => status,
      () => 'cut' as const,
    )
    .finally(() => clearInterval(timer));
  return { outcome, stop: () => request.destroy() };
}

it('one who sends slowly keeps nobody else waiting; several lose their places in time', async () => {
  const [{ patient: greedy }, { patient: accomplice }, { patient }] = [
    await clinic.admit(),
    await clinic.admit(),
    await clinic.admit(),
  ];
  const timed = async () => {
    const begun = performance.now();
    const { status } = await patient.upload('Blood pressure 120/80');
    return { status, seconds: (performance.now() - begun) / 1000 };
  };
  const slow = Array.from({ length: 4 }, () => slowly(greedy));
  await pause(500);
  const beside = await timed();
  expect([beside.status, beside.seconds < 5]).toEqual([200, true]);
  slow.push(...Array.from({ length: 4 }, () => slowly(accomplice)));
  await pause(500);
  const behind = await timed(); // there is no room for anybody, until the first are cut off
  expect([behind.status, behind.seconds > 5, behind.seconds < 25]).toEqual([200, true, true]);
  expect(await Promise.all(slow.map(({ outcome }) => outcome))).toEqual(slow.map(() => 'cut'));
}, 90_000);

it('those who send just fast enough keep their places only while nobody waits for one', async () => {
  const [one, other, { patient }] = [await clinic.admit(), await clinic.admit(), await clinic.admit()];
  const slow = [one, other].flatMap(({ patient: sender }) =>
    Array.from({ length: 4 }, () => slowly(sender, 32 * 1024)),
  );
  const cut = new Set<unknown>();
  for (const sender of slow) void sender.outcome.then(() => cut.add(sender));
  await pause(18_000);
  expect(cut.size).toBe(0);
  const begun = performance.now();
  expect((await patient.upload('Blood pressure 120/80')).status).toBe(200);
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(cut.size).toBeGreaterThan(0);
  for (const { stop } of slow) stop();
  await Promise.all(slow.map(({ outcome }) => outcome));
}, 60_000);
