// What `npm start` and `npm test` do on a fresh clone, with Node's built-ins only: install, and generate the client.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);

/** Runs a command in the project's root; ends this process when it fails. `quiet`: its output is shown only then. */
export function run(command, args, { quiet = false, ...options } = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: quiet ? 'pipe' : 'inherit', ...options });
  if (result.status === 0) return;
  for (const output of [result.stdout, result.stderr, result.error?.message])
    if (output) process.stderr.write(String(output));
  process.exit(result.status ?? 1);
}

/** Runs a tool the project has installed. */
export function runTool(name, args, options) {
  run(process.execPath, [at('node_modules', '.bin', name), ...args], options);
}

/** Installs when node_modules is not there or older than the lock file, and generates the Prisma client likewise. */
export function ensureInstalled() {
  const lock = readFileSync(at('package-lock.json'), 'utf8');
  const stamp = at('node_modules', '.scandock-lock');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    console.log('Installing packages …');
    run(
      process.platform === 'win32' ? 'npm.cmd' : 'npm',
      ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
      {
        shell: process.platform === 'win32',
      },
    );
    writeFileSync(stamp, lock);
  }
  const client = at('src', 'generated', 'prisma', 'client.ts');
  if (!existsSync(client) || isNewer(['prisma'], client)) {
    runTool('prisma', ['generate'], { quiet: true });
    utimesSync(client, new Date(), new Date());
  }
}

/** Builds when a source is newer than the build. */
export function ensureBuilt() {
  const built = at('dist', 'main.js');
  if (
    existsSync(built) &&
    !isNewer(['src', 'tsconfig.json', 'tsconfig.build.json', '.swcrc', 'nest-cli.json'], built)
  )
    return;
  console.log('Building …');
  runTool('nest', ['build'], { quiet: true });
  utimesSync(built, new Date(), new Date());
}

function isNewer(sources, target) {
  const { mtimeMs } = statSync(target);
  const result = spawnSync('find', [...sources, '-type', 'f', '-newer', path.relative(root, target)], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status === 0) return result.stdout.trim() !== '';
  return sources.some((source) => statSync(at(source)).mtimeMs > mtimeMs); // no `find`: the folders' own times
}
