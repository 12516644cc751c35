import { describe, expect, it } from '@jest/globals';
import dicomParser from 'dicom-parser';

import { description, inspect, pixels, sequences } from './dicom.fixture.js';
import { TRANSFER_SYNTAX } from './transfer-syntax.js';
import { elementsFrom, writeDicom } from './write.js';

const PARSER_TAGS = {
  sopClassUid: 'x00080016',
  sopInstanceUid: 'x00080018',
  studyInstanceUid: 'x0020000d',
  seriesInstanceUid: 'x0020000e',
  patientId: 'x00100020',
  studyDate: 'x00080020',
  modality: 'x00080060',
  studyDescription: 'x00081030',
  transferSyntaxUid: 'x00020010',
} as const;

describe('writeDicom', () => {
  it.each([
    TRANSFER_SYNTAX.implicitLittleEndian,
    TRANSFER_SYNTAX.explicitLittleEndian,
    TRANSFER_SYNTAX.explicitBigEndian,
    TRANSFER_SYNTAX.jpegBaseline,
  ])('writes %s as dicom-parser and the inspector read it', async (transferSyntaxUid) => {
    const encapsulated = transferSyntaxUid === TRANSFER_SYNTAX.jpegBaseline;
    const fragments = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
    const pixelData = encapsulated ? ({ tag: 'PixelData', value: { fragments } } as const) : pixels;
    const bytes = writeDicom({ transferSyntaxUid, elements: [...description, ...sequences, pixelData] });

    const parsed = dicomParser.parseDicom(new Uint8Array(bytes));
    const verdict = await inspect(bytes);
    if (!verdict.ok) throw new Error(verdict.rule);
    for (const [field, tag] of Object.entries(PARSER_TAGS)) {
      expect(parsed.string(tag)).toBe(verdict.header[field as keyof typeof PARSER_TAGS]);
    }
    expect(parsed.uint16('x00280010')).toBe(verdict.header.rows);
    expect(parsed.intString('x00200013')).toBe(verdict.header.instanceNumber);
    const pixelElement = parsed.elements['x7fe00010']!;
    if (encapsulated) expect(pixelElement.fragments?.map(({ length }) => length)).toEqual([4, 2]);
    else expect(pixelElement.length).toBe(64);
  });

  it('nests sequences, with lengths and with delimiters', () => {
    for (const undefinedLength of [true, false]) {
      const sequence = { ...sequences[0]!, undefinedLength };
      const bytes = writeDicom({ elements: [...description, sequence] });
      const items = dicomParser.parseDicom(new Uint8Array(bytes)).elements['x00081140']?.items;
      expect(items?.[0]?.dataSet?.string('x00081155')).toBe('2.25.99');
      const inner = items?.[1]?.dataSet?.elements['x00081140']?.items;
      expect(inner?.[1]?.dataSet?.string('x00100020')).toBe('not the patient');
    }
  });

  it('sorts by tag, makes lengths even and joins values', () => {
    const elements = elementsFrom({ WindowWidth: ['80', '400'], ImageType: ['ORIGINAL', 'PRIMARY', 'A'] });
    const parsed = dicomParser.parseDicom(
      new Uint8Array(writeDicom({ elements: [...elements, ...description] })),
    );
    expect(parsed.string('x00080008', 2)).toBe('A');
    expect(parsed.elements['x00080008']!.length).toBe(18);
    const inFileOrder = Object.values(parsed.elements).sort((a, b) => a.dataOffset - b.dataOffset);
    const tags = inFileOrder.map(({ tag }) => tag);
    expect(tags).toEqual([...tags].sort());
  });

  it('refuses what it cannot encode', () => {
    expect(() => writeDicom({ elements: [{ tag: 0x00091001, value: 'x' }] })).toThrow(TypeError);
    expect(() => writeDicom({ elements: [{ tag: 'Rows', value: 'many' }] })).toThrow(TypeError);
    expect(() => writeDicom({ elements: [{ tag: 'PatientID', value: 'x'.repeat(70_000) }] })).toThrow(
      TypeError,
    );
  });
});
