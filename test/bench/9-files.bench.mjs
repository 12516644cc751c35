import { createHash, randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { readUploadBody } from '../../dist/modules/cases/upload-body.js';
import { times } from './stack.mjs';

const FILE_BYTES = 10 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const ROUNDS = 20;

/**
 * A patient's upload as its body arrives, decoded, checked and hashed; beside it what a framework does that parses JSON.
 * Besides the time: how long nobody else had a turn.
 */
export default async function (row) {
  const file = randomBytes(FILE_BYTES);
  const json = Buffer.from(
    JSON.stringify({ name: 'a.pdf', mimeType: 'application/pdf', data: file.toString('base64') }),
  );
  const ours = await measure(async () => {
    const body = { length: json.length, pieces: Readable.from(pieces(json)) };
    const { sha256 } = await readUploadBody(body, FILE_BYTES);
    return sha256;
  });
  const parsed = await measure(async () => {
    const parts = [];
    for await (const piece of Readable.from(pieces(json))) parts.push(piece);
    const { data } = JSON.parse(Buffer.concat(parts).toString('utf8'));
    const bytes = Buffer.from(data, 'base64');
    if (bytes.toString('base64') !== data) throw new Error('not canonical');
    return createHash('sha256').update(bytes).digest();
  });
  row({
    what: 'a patient’s file of 10 MiB in base64: read, decoded, checked, hashed',
    figure: `${ours.perSecond.toFixed(0)} MiB/s, nobody waits longer than ${ours.stop.toFixed(0)} ms`,
    baseline: `JSON.parse and Buffer.from ${parsed.perSecond.toFixed(0)} MiB/s, ${parsed.stop.toFixed(0)} ms`,
    ratio: `${times(ours.perSecond / parsed.perSecond)}; ${times(ours.stop / parsed.stop)} the wait`,
  });

  async function measure(read) {
    const expected = createHash('sha256').update(file).digest();
    await read();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const begun = performance.now();
    for (let round = 0; round < ROUNDS; round++)
      if (!expected.equals(await read())) throw new Error('another content');
    const seconds = (performance.now() - begun) / 1000;
    delay.disable();
    return { perSecond: (ROUNDS * FILE_BYTES) / 2 ** 20 / seconds, stop: delay.max / 1e6 };
  }
}

/** As a socket hands them over: each in a turn of its own. */
async function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    await setImmediate();
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
