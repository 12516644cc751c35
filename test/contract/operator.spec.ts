import { readdirSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import '../../src/operator.module.js';
import { allOperations } from '../../src/platform/authorization/operations.js';

const SOURCE = new URL('../../src/', import.meta.url);
const namesNow = (): string[] =>
  allOperations()
    .map(({ name }) => name)
    .toSorted();

it('the operator’s commands know every operation that a policy defines', async () => {
  const known = namesNow();
  const policies = (readdirSync(SOURCE, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.policy.ts'),
  );
  expect(policies.length).toBeGreaterThan(12);
  for (const policy of policies) await import(`../../src/${policy.replace(/\.ts$/, '.js')}`);
  expect(known).toEqual(namesNow());
});
