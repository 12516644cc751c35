import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from '@jest/globals';

import { description, identity, inspect, pixels } from './dicom.fixture.js';
import { DICTIONARY } from './dictionary.js';
import type { DicomHeader } from './inspector.js';
import { STUDY_ATTRIBUTES } from './study-attributes.js';
import { type DicomElement, elementsFrom, writeDicom } from './write.js';

async function headerOf(elements: readonly DicomElement[], chunkBytes?: number): Promise<DicomHeader> {
  const verdict = await inspect(writeDicom({ elements }), {}, chunkBytes);
  if (!verdict.ok) throw new Error(`${verdict.rule} at ${verdict.where}`);
  return verdict.header;
}
const attributesOf = async (...elements: DicomElement[]) =>
  (await headerOf([...identity, ...elements])).attributes;

describe('the attributes of a header', () => {
  it('are those the object has, by keyword', async () => {
    const more = elementsFrom({ PatientAge: '054Y', InstitutionName: 'Klinik', PatientWeight: '70.5 ' });
    expect((await headerOf([...description, ...more, pixels])).attributes).toEqual({
      StudyDate: '20240131',
      StudyTime: '101530.5',
      AccessionNumber: 'A-1',
      Modality: 'CT',
      Manufacturer: 'Ångström',
      InstitutionName: 'Klinik',
      ReferringPhysicianName: 'Referrer^Rita',
      StudyDescription: 'Head without contrast',
      PatientName: 'Müller^Jörg',
      PatientID: 'P-1',
      IssuerOfPatientID: 'Hospital',
      PatientBirthDate: '19700101',
      PatientSex: 'O',
      PatientAge: '054Y',
      PatientWeight: '70.5',
      BodyPartExamined: 'HEAD',
      StudyID: 'S1',
    });
  });

  it('are asked for as often as one likes', async () => {
    const header = await headerOf([...description, pixels]);
    expect(header.attributes).toBe(header.attributes);
    expect(Object.keys(header)).not.toContain('attributes');
  });

  it('have text in all of them', () => {
    const others = new Set(['UI', 'SQ', 'US', 'SS', 'UL', 'SL', 'FL', 'FD', 'AT', 'OB', 'OW', 'UN']);
    expect(STUDY_ATTRIBUTES.filter((keyword) => others.has(DICTIONARY[keyword][1]))).toEqual([]);
    expect(new Set(STUDY_ATTRIBUTES).size).toBe(STUDY_ATTRIBUTES.length);
  });

  it('are decoded by SpecificCharacterSet, also where the first byte of a character is not the only one', async () => {
    const gbk = Buffer.from('cdf55c5e', 'hex'); // U+738B, a backslash, a circumflex
    const attributes = await attributesOf(
      { tag: 'SpecificCharacterSet', value: 'GBK' },
      { tag: 'OtherPatientNames', value: gbk },
      { tag: 'InstitutionName', value: Buffer.from('815c', 'hex') }, // one character, whose second byte is 0x5C
    );
    expect(attributes.OtherPatientNames).toEqual(['王', '^']);
    expect(attributes.InstitutionName).toBe(new TextDecoder('gbk').decode(Buffer.from('815c', 'hex')));
  });

  it('have several values where a backslash parts them, and one in a text', async () => {
    const attributes = await attributesOf(
      ...elementsFrom({
        OtherPatientIDs: ['A-1 ', ' A-2'],
        SoftwareVersions: ['', ''],
        PatientComments: 'and\\or',
        InstitutionAddress: 'Street 1\\Town',
      }),
    );
    expect(attributes).toEqual({
      OtherPatientIDs: ['A-1', 'A-2'],
      PatientComments: 'and\\or',
      InstitutionAddress: 'Street 1\\Town',
    });
  });

  it('are cut to 1,024 characters, never within one', async () => {
    for (const text of [
      'x'.repeat(10_240),
      '€'.repeat(10_240),
      '😀'.repeat(10_240),
      `x${'😀'.repeat(9_000)}`,
    ]) {
      const { PatientComments: cut, ...others } = await attributesOf(
        { tag: 'SpecificCharacterSet', value: 'ISO_IR 192' },
        { tag: 'PatientComments', value: text },
        { tag: 'StudyID', value: 'S1' },
      );
      expect(text.startsWith(cut as string)).toBe(true);
      expect(cut).not.toMatch(/[\ud800-\udfff]/u);
      expect((cut as string).length).toBeGreaterThanOrEqual(1023);
      expect((cut as string).length).toBeLessThanOrEqual(1024);
      expect(others).toEqual({ StudyID: 'S1' });
    }
  });

  it('are the same however the bytes are split', async () => {
    const long = { tag: 'PatientComments', value: 'y'.repeat(9_001) } as const;
    const elements = [...description, long, ...elementsFrom({ OtherPatientIDs: ['1', '2'] }), pixels];
    const whole = (await headerOf(elements)).attributes;
    for (const chunkBytes of [1, 7, 64, 4095, 4097])
      expect((await headerOf(elements, chunkBytes)).attributes).toEqual(whole);
  });

  it('make no object illegible: neither too long, nor twice, nor of another VR', async () => {
    const long = { tag: 'AdmittingDiagnosesDescription', value: 'z'.repeat(60_000) } as const;
    const odd = {
      tag: 'EthnicGroup',
      vr: 'SQ',
      value: { items: [elementsFrom({ StudyID: 'inner' })] },
    } as const;
    const twice = elementsFrom({ StationName: 'A' }).concat(elementsFrom({ StationName: 'B' }));
    const attributes = await attributesOf(long, odd, ...twice);
    expect(attributes.AdmittingDiagnosesDescription).toBe('z'.repeat(1024));
    expect(attributes.EthnicGroup).toBeUndefined();
    expect(attributes.StudyID).toBeUndefined();
    expect(attributes.StationName).toMatch(/^[AB]$/);
  });

  it('hold no NUL, which no database takes', async () => {
    const attributes = await attributesOf({ tag: 'StationName', value: Buffer.from('A\0B\0', 'latin1') });
    expect(attributes.StationName).toBe('AB');
  });
});

describe('the texts of a header', () => {
  const texts = ['PatientName', 'StudyDescription', 'SeriesDescription', 'Manufacturer', 'Modality'] as const;
  const utf8 = { tag: 'SpecificCharacterSet', value: 'ISO_IR 192' } as const;
  const others = identity.filter(
    ({ tag }) => tag !== 'SpecificCharacterSet' && !texts.some((one) => one === tag),
  );
  const withTexts = (value: string) => [utf8, ...others, ...texts.map((tag) => ({ tag, value })), pixels];

  it('are cut as its attributes are', async () => {
    const header = await headerOf(withTexts(`x${'😀'.repeat(3_000)}`));
    const cut = `x${'😀'.repeat(511)}`;
    expect(header).toMatchObject({
      patientName: cut,
      studyDescription: cut,
      seriesDescription: cut,
      manufacturer: cut,
      modality: cut,
    });
    expect(header.attributes.PatientName).toBe(cut);
  });

  it('but for identifiers, which are whole up to 1,024 bytes', async () => {
    const value = 'é'.repeat(512);
    const elements = [
      ...others.filter(({ tag }) => tag !== 'PatientID'),
      { tag: 'PatientID', value } as const,
    ];
    expect(await headerOf([utf8, ...elements, pixels])).toMatchObject({ patientId: value });
  });

  it('hold on to nothing of the padding around them', async () => {
    const bytes = writeDicom({
      elements: withTexts(`${' '.repeat(8_000)}${'y'.repeat(64)}${' '.repeat(8_000)}`),
    });
    const before = heapBytes();
    const headers = [];
    for (let n = 0; n < 200; n++) {
      const verdict = await inspect(bytes);
      if (verdict.ok) headers.push({ ...verdict.header });
    }
    expect(headers).toHaveLength(200);
    expect(heapBytes() - before).toBeLessThan(4_000_000); // of 16 MB that were read
    expect(headers[199]).toMatchObject({ patientName: 'y'.repeat(64) });
  }, 20_000);
});

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
