import { expect, it } from '@jest/globals';
import { plantExport } from '../modules/audit/verification/planted-export.fixture.js';
import { verifyExport } from '../modules/audit/verification/export-verifier.js';
import { describe as toText } from './audit-verify.command.js';

const CLEARS = '\\u001b[2J\\u001b[HVALID\\n\\u001b[8m'; // as JSON has it
const piece = async function* (lines: readonly string[]): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from(lines.map((line) => `${line}\n`).join('')));
};

it.each([
  ['the id of an event', 'events', /"id":"[^"]+","ip"/, `"id":"${CLEARS}","ip"`],
  ['a member’s name', 'manifest', /"v":2/, `"v":2,"${CLEARS}${'x'.repeat(5_000)}":1`],
  ['text that is turned around', 'manifest', /"v":2/, '"v":2,"\u202edilav\u2028\ud800":1'],
] as const)('%s does not steer the terminal', async (_, file, what, by) => {
  const made = await plantExport([3]);
  made[file][0] = made[file][0]!.replace(what, by);
  const report = await verifyExport(
    { events: piece(made.events), manifest: piece(made.manifest) },
    made.keys,
  );
  const text = toText(report);
  expect(text).toMatch(/^NOT VALID\nfirst bad: /);
  expect(text).toMatch(/^[\n\u0020-\u007e’]+$/);
  expect(text.length).toBeLessThan(2_000);
  expect(text.split('\n').filter((line) => line.startsWith('VALID'))).toEqual([]);
});
