// `npm run check`: everything that can be said about the code without running the product's tests. One line a step.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { ensureBuilt, ensureInstalled, root } from './ensure-installed.mjs';

const tool = (file, ...args) => ({ file: `node_modules/${file}`, args });
const own = (name, ...args) => ({ file: `scripts/${name}.mjs`, args });

/** A floor for tools that would pass as well when they found nothing to look at. */
const atLeast = (pattern, least) => (output) => {
  const found = Number(pattern.exec(output)?.[1] ?? 0);
  return found >= least ? undefined : `It looked at ${found} only; at least ${least} were expected.`;
};

// The longest first, so that they do not wait for each other at the end.
const STEPS = [
  // Type-aware rules look across files, so a cache by file would miss what a change elsewhere broke.
  { name: 'lint', ...tool('eslint/bin/eslint.js', '.', '--max-warnings=0') },
  {
    name: 'types',
    // A state of its own: the build's says what was emitted.
    ...tool(
      'typescript/bin/tsc',
      '--noEmit',
      '--tsBuildInfoFile',
      'node_modules/.cache/scandock/check.tsbuildinfo',
    ),
  },
  {
    name: 'format',
    ...tool(
      'prettier/bin/prettier.cjs',
      '--check',
      '--cache',
      '--cache-strategy=content',
      '--log-level=warn',
      '.',
    ),
  },
  { name: 'migrations', ...own('check/migrations') },
  {
    name: 'boundaries',
    ...tool('dependency-cruiser/bin/dependency-cruise.mjs', 'src', 'test'),
    verify: atLeast(/\((\d+) modules/, 250),
  },
  { name: 'unused exports', ...own('check/unused-exports') },
  { name: 'openapi', ...own('openapi', '--check') },
  { name: 'permissions', ...own('permissions', '--check') },
  { name: 'schema', ...tool('prisma/build/index.js', 'validate') },
  { name: 'schema format', ...tool('prisma/build/index.js', 'format', '--check') },
  { name: 'lock file', ...own('check/lock-file') },
  { name: 'yaml', ...own('check/yaml') },
];

const started = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1).padStart(5)} s`;

ensureInstalled();
ensureBuilt(); // the document and the migrations are checked by the program as it is shipped

const waiting = [...STEPS];
const failed = [];
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
console.log(
  failed.length > 0
    ? `\n${failed.length} of ${STEPS.length} checks failed (${failed.join(', ')}), ${seconds(started).trim()}`
    : `\nAll ${STEPS.length} checks passed, ${seconds(started).trim()}`,
);
process.exitCode = failed.length > 0 ? 1 : 0;

async function worker() {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    const since = performance.now();
    const { ok, output } = await run(step);
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${step.name.padEnd(15)} ${seconds(since)}`);
    if (ok) continue;
    failed.push(step.name);
    console.log(output.trim().replaceAll(/^/gm, '       '));
  }
}

/** Runs one step in a process of its own. `output`: everything it said, in the order it said it. */
function run({ file, args, verify }) {
  return new Promise((resolve) => {
    const env = { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
    const child = spawn(process.execPath, [file, ...args], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = [];
    child.stdout.on('data', (data) => said.push(data));
    child.stderr.on('data', (data) => said.push(data));
    child.once('error', (error) => resolve({ ok: false, output: String(error) }));
    child.once('close', (code, signal) => {
      const output = Buffer.concat(said).toString();
      const missing = code === 0 ? verify?.(output) : undefined;
      if (code === 0 && !missing) return resolve({ ok: true, output });
      resolve({
        ok: false,
        output: [output, missing, signal && `Ended by ${signal}.`].filter(Boolean).join('\n'),
      });
    });
  });
}
