import { expect, it } from '@jest/globals';
import { record } from '../../audit-record.fixture.js';
import { canonicalForm } from '../../audit.canonical.js';
import { dicom } from './dicom.format.js';
import { fhir } from './fhir.format.js';

const event = record();
const context = { source: 'here', findStudies: () => Promise.resolve(new Map<string, string>()) };
const events = [7, 9].map((position) => ({ position, line: Buffer.from(`${canonicalForm(event)}\n`) }));

it('tells in FHIR where in the ledger an event is', async () => {
  const texts = await fhir.write(events, context);
  for (const [index, text] of texts.entries())
    expect((JSON.parse(text.toString()) as { resource: object }).resource).toMatchObject({
      entity: expect.arrayContaining([
        expect.objectContaining({
          detail: expect.arrayContaining([{ type: 'position', valueString: String([7, 9][index]) }]),
        }),
      ]),
    });
});

it('tells in DICOM where in the ledger an event is', async () => {
  const base64 = (position: number) => Buffer.from(String(position)).toString('base64');
  const texts = await dicom.write(events, context);
  for (const [index, position] of [7, 9].entries())
    expect(texts[index]!.toString()).toContain(
      `<ParticipantObjectDetail type="position" value="${base64(position)}"/>`,
    );
});
