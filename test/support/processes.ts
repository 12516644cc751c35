import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** A process of ours as it is shipped. */
export class OwnProcess {
  /** What it wrote, both streams. */
  output = '';
  private readonly gone: Promise<void>;

  private constructor(private readonly child: ChildProcess) {
    // Rather than at 'exit': by then all that it wrote is here.
    this.gone = new Promise((resolve) => child.once('close', () => resolve()));
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
  }

  /** Starts `scandock <command>`; resolves when it serves. */
  static async start(command: 'api' | 'worker', environment: Record<string, string>): Promise<OwnProcess> {
    const env = { PATH: process.env.PATH, ...environment };
    const child = fork(MAIN, [command], {
      env,
      execArgv: ['--no-deprecation'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new OwnProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('close', () => reject(new Error(`${command} ended: ${started.output.slice(-2000)}`)));
    });
    return started;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** As a power failure would: nothing is finished, nothing is handed back. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.gone;
  }

  async stop(): Promise<void> {
    if (this.running) this.child.kill('SIGTERM');
    await this.gone;
  }
}
