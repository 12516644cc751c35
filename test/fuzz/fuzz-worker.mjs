// One of the threads of `npm run fuzz`: judges every nth input, and says in shared memory which one it is at.
import { register } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

register('./typescript-hooks.mjs', import.meta.url);
const { judgeInput } = await import('./campaign.ts');

const { seed, first, step, end, progress } = workerData;
const at = new Float64Array(progress);
const counts = new Map();
let slowest = { ms: 0, index: first };

for (let index = first; index < end; index += step) {
  at[0] = index;
  at[1] = Date.now();
  const started = performance.now();
  let key;
  try {
    const { format, outcome } = await judgeInput(seed, index);
    key = `${format}\t${outcome}`;
  } catch (error) {
    parentPort.postMessage({ failed: { index, why: error?.stack ?? String(error) } });
    break;
  }
  const ms = performance.now() - started;
  if (ms > slowest.ms) slowest = { ms, index };
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
at[1] = 0;
parentPort.postMessage({ counts: [...counts], slowest });
