import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { OwnProcess } from '../../support/processes.js';
import { type Stack, startStack } from '../../support/stack.js';

jest.setTimeout(60_000);

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ NODE_ENV: 'production' });
});
afterAll(() => stack.close());

const environmentOf = (command: 'api' | 'worker') =>
  command === 'api' ? stack.environment : stack.workerEnvironment;

describe.each(['api', 'worker'] as const)('scandock %s in production', (command) => {
  it('does not start before a bucket that does not encrypt, and names the variable', async () => {
    await expect(OwnProcess.start(command, environmentOf(command))).rejects.toThrow(
      /S3_REQUIRE_ENCRYPTION: the bucket scandock has no default encryption/,
    );
  });

  it('starts when it is told that the disks are encrypted', async () => {
    const process = await OwnProcess.start(command, {
      ...environmentOf(command),
      S3_REQUIRE_ENCRYPTION: 'false',
    });
    await process.stop();
  });

  it('does not start behind a public URL without TLS', async () => {
    const environment = { ...environmentOf(command), PUBLIC_URL: 'http://scandock.example' };
    await expect(OwnProcess.start(command, environment)).rejects.toThrow(/PUBLIC_URL: must be https/);
  });
});
