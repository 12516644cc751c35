import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFile } from '@swc/core';
import type { S3Connection } from './s3-target.js';

const SOURCE = resolve('src/platform/embedded/s3');
const credentials = { accessKeyId: 'contractkey', secretAccessKey: 'contractsecret' };

/** The embedded server as a process of its own, so that its memory and its death can be observed. */
export interface EmbeddedProcess {
  connection: S3Connection;
  dataDir: string;
  residentMb(): number;
  /** Ends it like a crash, and waits. */
  kill(): Promise<void>;
  /** Ends it and removes everything. */
  stop(): Promise<void>;
  /** Starts it again on the same data after `kill`. */
  restart(): Promise<void>;
}

/** Compiles the server's sources into a temporary directory and runs them. */
export async function startEmbeddedProcess(): Promise<EmbeddedProcess> {
  const home = await mkdtemp(join(tmpdir(), 's3-process-'));
  await compile(join(home, 'server'));
  const dataDir = join(home, 'data');
  let child: ReturnType<typeof spawn>;
  const launch = async (): Promise<string> => {
    child = spawn(process.execPath, [join(home, 'server', 'main.js'), dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout! })) return `http://127.0.0.1:${line}`;
    throw new Error('the S3 server ended before it was ready');
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const started: EmbeddedProcess = {
    connection: { endpoint: await launch(), region: 'us-east-1', credentials },
    dataDir,
    residentMb: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    kill,
    stop: async () => {
      await kill();
      await rm(home, { recursive: true, force: true });
    },
    restart: async () => {
      started.connection = { ...started.connection, endpoint: await launch() };
    },
  };
  return started;
}

async function compile(target: string): Promise<void> {
  await mkdir(target);
  for (const name of await readdir(SOURCE)) {
    if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
    const { code } = await transformFile(join(SOURCE, name), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
    });
    await writeFile(join(target, name.replace(/\.ts$/, '.js')), code);
  }
  await symlink(resolve('node_modules'), join(target, 'node_modules'));
  await writeFile(join(target, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(target, 'main.js'),
    `import { startS3Server } from './s3-server.js';
const server = await startS3Server({ dataDir: process.argv[2], port: 0, credentials: [${JSON.stringify(credentials)}] });
console.log(server.port);
`,
  );
}
