import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './ensure-installed.mjs';

/**
 * Writes what a command of ours prints into the repository. With `--check` among the arguments: fails when what is
 * committed there is something else.
 * @param {{ file: string, command: string, script: string, describe: (text: string) => string | undefined }} given
 *   `describe`: what was written, in words; nothing when what the command printed cannot be right
 */
export function keepGenerated({ file, command, script, describe }) {
  ensureInstalled();
  ensureBuilt();
  const target = path.join(root, file);
  const result = spawnSync(process.execPath, ['dist/main.js', command], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  if (result.status !== 0)
    fail(result.stderr || `scandock ${command} ended with ${result.status ?? result.signal}`);
  const words = describe(result.stdout);
  if (!words) fail(`scandock ${command} described nothing.`);
  if (!process.argv.includes('--check')) {
    writeFileSync(target, result.stdout);
    console.log(`${file}: ${words}`);
    return;
  }
  const committed = readOrEmpty(target);
  if (committed !== result.stdout)
    fail(`${file} is not what the code says: npm run ${script}\n${difference(committed, result.stdout)}`);
}

function readOrEmpty(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The first line that differs, which is enough to see what it is about. */
function difference(committed, text) {
  const [was, is] = [committed.split('\n'), text.split('\n')];
  const at = is.findIndex((line, index) => line !== was[index]);
  return `line ${at + 1}\n- ${was[at] ?? ''}\n+ ${is[at] ?? ''}`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
