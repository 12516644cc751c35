import { readdirSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import './operator.module.js';
import { allOperations } from './platform/authorization/operations.js';

it('the operator’s commands know every operation that a policy defines', async () => {
  const known = allOperations().map(({ name }) => name);
  const source = new URL('./', import.meta.url);
  const policies = (readdirSync(source, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.policy.ts'),
  );
  expect(policies.length).toBeGreaterThan(12);
  for (const policy of policies) await import(`./${policy.replace(/\.ts$/, '.js')}`);
  expect(known.toSorted()).toEqual(
    allOperations()
      .map(({ name }) => name)
      .toSorted(),
  );
});
