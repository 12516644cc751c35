import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { afterAll, expect, it } from '@jest/globals';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { queueSuite } from './queue-suite.js';

let redis: ChildProcess | undefined;

if (spawnSync('redis-server', ['--version']).status === 0) {
  queueSuite('Redis', async () => {
    const port = await freePort(0);
    const flags = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ];
    redis = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve) => {
      redis!.stdout!.on('data', (line: Buffer) => line.includes('Ready to accept') && resolve());
    });
    return { REDIS_URL: `redis://127.0.0.1:${port}` };
  });
  afterAll(() => {
    redis?.kill();
  });
} else {
  it('is skipped without a redis-server', () => {
    console.log('skipped: the queue on Redis (no redis-server on this machine; Debian: redis-server)');
    expect(redis).toBeUndefined();
  });
}
