import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LocalState } from './local-state.js';

let folder: string;
let state: LocalState;
let file: string;
let other: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'scandock-state-'));
  state = new LocalState(folder);
  file = state.path('launcher.pid');
});
afterEach(() => {
  other?.kill('SIGKILL');
  other = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** A process that was started like that and does nothing. Returns its id, once it runs. */
async function running(script: string, ...args: string[]): Promise<number> {
  const at = path.join(folder, script);
  mkdirSync(path.dirname(at), { recursive: true });
  writeFileSync(at, `process.stdout.write('here'); setInterval(() => {}, 1000);`);
  const child = spawn(process.execPath, [script, ...args], { cwd: folder });
  other = child;
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child.pid!;
}

describe('a claim on the folder', () => {
  it.each([
    ['npm start', 'scripts/start.mjs', []],
    ['scandock start', 'dist/main.js', ['start']],
  ] as const)('is refused while another launcher has it: %s', async (_, script, args) => {
    const pid = await running(script, ...args);
    writeFileSync(file, String(pid));
    expect(() => state.claim()).toThrow(`already runs on ${folder} (process ${pid})`);
    expect(readFileSync(file, 'utf8')).toBe(String(pid));
  });

  // Only Linux tells how a process was started.
  (process.platform === 'linux' ? it : it.skip)(
    'is granted when the id is now that of some other program',
    async () => {
      writeFileSync(file, String(await running('domain.jsx/restart.mjs.js')));
      state.claim();
      expect(readFileSync(file, 'utf8')).toBe(String(process.pid));
    },
  );

  it('is granted when its holder has ended', async () => {
    const pid = await running('dist/main.js');
    const ended = new Promise((resolve) => other!.once('exit', resolve));
    other!.kill('SIGKILL');
    await ended;
    writeFileSync(file, String(pid));
    state.claim();
    expect(readFileSync(file, 'utf8')).toBe(String(process.pid));
  });

  it('is given back, unless it is somebody else’s by now', () => {
    const release = state.claim();
    release();
    expect(existsSync(file)).toBe(false);
    release();
    writeFileSync(file, '1');
    release();
    expect(readFileSync(file, 'utf8')).toBe('1');
  });
});
