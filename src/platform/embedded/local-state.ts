import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { newSecret } from '../crypto/master-key.js';

const secretsSchema = z.object({
  masterKey: z.string(),
  postgresPassword: z.string(),
  appPassword: z.string(),
  workerPassword: z.string(),
  s3AccessKeyId: z.string(),
  s3SecretAccessKey: z.string(),
});
export type LocalSecrets = z.infer<typeof secretsSchema>;

/** How a launcher looks in /proc: `node dist/main.js start`, or `node scripts/start.mjs`, which is `npm start`. */
const LAUNCHER = /\bmain\.js\0|\bstart\.mjs\0/;

/** The launcher's folder: the embedded parts' data, generated secrets, logs. Nobody else may read it. */
export class LocalState {
  constructor(readonly dir: string) {
    mkdirSync(path.join(dir, 'logs'), { recursive: true, mode: 0o700 });
  }

  /** Made at the first start, random, and kept. */
  secrets(): LocalSecrets {
    const file = this.path('secrets.json');
    if (existsSync(file)) return secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const secrets: LocalSecrets = {
      masterKey: randomBytes(32).toString('hex'),
      postgresPassword: newSecret(),
      appPassword: newSecret(),
      workerPassword: newSecret(),
      s3AccessKeyId: `SDK${newSecret().slice(0, 17).toUpperCase()}`,
      s3SecretAccessKey: newSecret(),
    };
    this.write('secrets.json', secrets);
    return secrets;
  }

  /**
   * Fails when another launcher uses the folder: it would end that one's database. Returns what gives the folder free; a
   * claim that has become somebody else's stays.
   */
  claim(): () => void {
    const file = this.path('launcher.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (pid > 0 && pid !== process.pid && isAlive(pid))
      throw new Error(
        `Scandock already runs on ${this.dir} (process ${pid}). Stop it first, or set SCANDOCK_DATA_DIR.`,
      );
    writeFileSync(file, String(process.pid));
    return () => {
      if (existsSync(file) && Number(readFileSync(file, 'utf8')) === process.pid)
        rmSync(file, { force: true });
    };
  }

  read(name: string): unknown {
    const file = this.path(name);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  }

  /** Whole or not at all, and for our eyes only. */
  write(name: string, value: object): void {
    const file = this.path(name);
    writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  path(...parts: string[]): string {
    return path.join(this.dir, ...parts);
  }
}

/** The wanted port when it is free, else any free one. Loopback. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0))!;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: taken } = server.address() as { port: number };
      server.close(() => resolve(taken));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A pid may have been given to somebody else since: only a process of ours counts.
    return process.platform !== 'linux' || LAUNCHER.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}
