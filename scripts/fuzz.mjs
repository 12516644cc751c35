// `npm run fuzz [-- --count N --seed N --index N]`: mutated files, each of which every reader has to give a verdict on.
// FUZZ_COUNT and FUZZ_SEED say the same. `--index` judges that one input of the seed again.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ensureInstalled } from './ensure-installed.mjs';

const THREADS = 2;
const MAX_MS = 2000;
/** A hang, and not a machine that is busy with something else. */
const MAX_SILENCE_MS = 10_000;
const MAX_GROWTH_BYTES = 512 * 1024 * 1024;

const { values } = parseArgs({
  options: { count: { type: 'string' }, seed: { type: 'string' }, index: { type: 'string' } },
});
const number = (name, text, fallback) => {
  const value = Number(text ?? fallback);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`${name} is not a whole number: ${text}`);
  process.exit(2);
};
const seed = number('seed', values.seed ?? process.env.FUZZ_SEED, randomInt(2 ** 31));
const count = number('count', values.count ?? process.env.FUZZ_COUNT, 1_000_000);
const only = values.index === undefined ? undefined : number('index', values.index);

ensureInstalled();
const started = Date.now();
const rssAtStart = process.memoryUsage().rss;
let rssAtMost = rssAtStart;
const failures = [];
const counts = new Map();
let slowest = { ms: 0, index: 0 };
console.log(only === undefined ? `${count} inputs of seed ${seed}` : `input ${only} of seed ${seed}`);

const ranges =
  only === undefined
    ? Array.from({ length: THREADS }, (_, first) => ({ first, step: THREADS, end: count }))
    : [{ first: only, step: 1, end: only + 1 }];
await Promise.all(ranges.map(judge));

for (const [key, found] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(found).padStart(9)}  ${key.replace('\t', '  ')}`);
const judged = [...counts.values()].reduce((sum, found) => sum + found, 0);
const seconds = (Date.now() - started) / 1000;
console.log(
  `\n${judged} verdicts in ${seconds.toFixed(1)} s (${(judged / seconds).toFixed()} a second); ` +
    `slowest ${slowest.ms.toFixed()} ms (index ${slowest.index}); ` +
    `memory +${((rssAtMost - rssAtStart) / 2 ** 20).toFixed()} MiB at most`,
);

if (slowest.ms > MAX_MS) failures.push(`index ${slowest.index} took ${slowest.ms.toFixed()} ms`);
if (rssAtMost - rssAtStart > MAX_GROWTH_BYTES)
  failures.push('memory grew by more than 512 MiB: no single input is known to be the cause');
for (const failure of failures) console.error(`FAILED  ${failure}`);
if (failures.length > 0) console.error(`\nTo see one again: npm run fuzz -- --seed ${seed} --index N`);
process.exit(failures.length > 0 ? 1 : 0);

/** Runs one thread to its end, and watches it from outside: a reader that hangs cannot say so. */
function judge({ first, step, end }) {
  return new Promise((resolve) => {
    const progress = new SharedArrayBuffer(16);
    const at = new Float64Array(progress);
    const worker = new Worker(new URL('../test/fuzz/fuzz-worker.mjs', import.meta.url), {
      workerData: { seed, first, step, end, progress },
    });
    const watch = setInterval(() => {
      rssAtMost = Math.max(rssAtMost, process.memoryUsage().rss);
      const silence = Date.now() - at[1];
      if (at[1] === 0 || silence < MAX_SILENCE_MS) return;
      failures.push(`index ${at[0]} has no verdict after ${silence} ms`);
      void worker.terminate();
    }, 100);
    worker.on('message', ({ failed, ...result }) => {
      if (failed) return failures.push(`index ${failed.index}: ${failed.why}`);
      for (const [key, found] of result.counts) counts.set(key, (counts.get(key) ?? 0) + found);
      if (result.slowest.ms > slowest.ms) slowest = result.slowest;
    });
    worker.on('error', (error) => failures.push(`index ${at[0]}: ${error.stack ?? error}`));
    worker.on('exit', () => {
      clearInterval(watch);
      resolve();
    });
  });
}
