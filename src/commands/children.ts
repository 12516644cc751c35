import { type ChildProcess, fork } from 'node:child_process';
import { openSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const STOP_LIMIT_MS = 35_000;

/**
 * Of glibc (mallopt(3)), for processes that bodies of objects go through: by itself it gives memory back to the system when there is
 * little that is free, and asks for it anew for the next chunk. In a virtual machine that can cost as much as all else of receiving it.
 */
export const KEEP_MEMORY = {
  MALLOC_TRIM_THRESHOLD_: String(64 * 1024 * 1024),
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
};

/** The processes a launcher began; they are stopped in the reverse order of their start. */
export class Children {
  private readonly running: { name: string; child: ChildProcess }[] = [];
  private stopping = false;

  /** @param onLoss is told when a child ends that was not asked to. */
  constructor(
    private readonly logDir: string,
    private readonly onLoss: (name: string, logFile: string) => void,
  ) {}

  /** Forks `scandock <name>` with its log in a file; resolves when it reports ready. */
  start(name: string, environment: NodeJS.ProcessEnv, message?: object): Promise<void> {
    const logFile = path.join(this.logDir, `${name}.log`);
    const log = openSync(logFile, 'a', 0o600);
    // A process group of its own: Ctrl-C reaches the launcher alone, which then stops its children in order.
    const child = fork(MAIN, [name], {
      env: { ...KEEP_MEMORY, ...environment },
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    this.running.push({ name, child });
    if (message) child.send(message);
    return new Promise((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
      child.once('exit', () => {
        reject(new Error(`The ${name} process ended; its log is ${logFile}`));
        if (!this.stopping) this.onLoss(name, logFile);
      });
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    for (const { child } of this.running.reverse()) await end(child);
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
