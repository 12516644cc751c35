import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const READY_LIMIT_MS = 90_000;

export interface Launched {
  child: ChildProcess;
  /** Everything it printed. */
  output(): string;
  /** Process ids of the launcher and all it began, Postgres' own included. */
  family(): number[];
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `scandock start` as `npm start` runs it, with nothing of this process's environment but the path. */
export async function launch(dataDir: string, environment: Record<string, string>): Promise<Launched> {
  const child = spawn(process.execPath, [MAIN, 'start'], {
    env: { PATH: process.env.PATH!, HOME: dataDir, SCANDOCK_DATA_DIR: dataDir, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in time:\n${output}`)), READY_LIMIT_MS);
    const read = (data: Buffer) => {
      output += data.toString();
      if (output.includes('Ctrl-C stops everything')) resolve(clearTimeout(timer));
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    void ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code}:\n${output}`));
    });
  });
  return {
    child,
    output: () => output,
    family: () => descendants(child.pid!),
    stop: (signal = 'SIGINT') => {
      child.kill(signal);
      return ended;
    },
  };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function descendants(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap((child) => descendants(Number(child)))];
}

/** One that ends while it is looked at, as a server process of Postgres may, has none. */
function childrenOf(pid: number): string[] {
  try {
    const list = readFileSync(path.join('/proc', String(pid), 'task', String(pid), 'children'), 'utf8');
    return list.split(' ').filter(Boolean);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) return [];
    throw error;
  }
}
