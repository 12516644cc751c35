// `npm run openapi`: writes openapi.json. With `--check`: fails when the committed document is not what the code says.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './ensure-installed.mjs';

ensureInstalled();
ensureBuilt();

const file = path.join(root, 'openapi.json');
const result = spawnSync(process.execPath, ['dist/main.js', 'openapi'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
});
if (result.status !== 0)
  fail(result.stderr || `scandock openapi ended with ${result.status ?? result.signal}`);
const paths = Object.keys(JSON.parse(result.stdout).paths ?? {});
if (paths.length === 0) fail('The document describes no path.');

if (!process.argv.includes('--check')) {
  writeFileSync(file, result.stdout);
  console.log(`openapi.json: ${paths.length} paths`);
} else {
  const committed = readOrEmpty();
  if (committed !== result.stdout)
    fail(`openapi.json is not what the code says: npm run openapi\n${difference(committed)}`);
}

function readOrEmpty() {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The first line that differs, which is enough to see what it is about. */
function difference(committed) {
  const [was, is] = [committed.split('\n'), result.stdout.split('\n')];
  const at = is.findIndex((line, index) => line !== was[index]);
  return `line ${at + 1}\n- ${was[at] ?? ''}\n+ ${is[at] ?? ''}`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
