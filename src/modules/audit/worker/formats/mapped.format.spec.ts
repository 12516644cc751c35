import { expect, it } from '@jest/globals';
import { record } from '../../audit-record.fixture.js';
import { canonicalForm } from '../../audit.canonical.js';
import { dicom } from './dicom.format.js';
import { fhir } from './fhir.format.js';

const event = record();
const context = { source: 'here', findStudies: () => Promise.resolve(new Map<string, string>()) };
const line = Buffer.from(`${canonicalForm(event)}\n`);
const ends = [line.length, 2 * line.length];
const events = { first: 7, count: 2, lines: Buffer.concat([line, line]), ends };

it('tells in FHIR where in the ledger an event is', async () => {
  const entries = JSON.parse(`[${await fhir.write(events, context)}]`) as { resource: object }[];
  expect(entries).toHaveLength(2);
  for (const [index, { resource }] of entries.entries())
    expect(resource).toMatchObject({
      entity: expect.arrayContaining([
        expect.objectContaining({
          detail: expect.arrayContaining([{ type: 'position', valueString: String(7 + index) }]),
        }),
      ]),
    });
});

it('tells in DICOM where in the ledger an event is', async () => {
  const base64 = (position: number) => Buffer.from(String(position)).toString('base64');
  const [first, second, ...rest] = String(await dicom.write(events, context)).split('\n');
  expect(rest).toEqual(['']);
  expect(first).toContain(`<ParticipantObjectDetail type="position" value="${base64(7)}"/>`);
  expect(second).toContain(`<ParticipantObjectDetail type="position" value="${base64(8)}"/>`);
});
