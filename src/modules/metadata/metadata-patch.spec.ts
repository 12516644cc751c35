import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { ApplicationError } from '../../platform/errors/application-error.js';
import { parsePatch, readPatch } from './metadata-patch.js';
import { MAX_METADATA_BYTES } from './metadata-size.js';

function refusalOf(input: unknown): ApplicationError {
  try {
    parsePatch(input);
  } catch (error) {
    if (error instanceof ApplicationError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parsePatch', () => {
  it('takes keywords and tags of either case, and keeps keywords', () => {
    expect(
      parsePatch({
        PatientName: 'Doe^Jane',
        '00100020': 'P-1',
        '001021a0': 'NO',
        PatientWeight: 70.5,
        OtherPatientIDs: ['A', 'B'],
        StudyDescription: null,
      }),
    ).toEqual({
      PatientName: 'Doe^Jane',
      PatientID: 'P-1',
      SmokingStatus: 'NO',
      PatientWeight: '70.5',
      OtherPatientIDs: ['A', 'B'],
      StudyDescription: null,
    });
    expect(parsePatch({})).toEqual({});
  });

  it('names every attribute that is wrong, in one refusal without a value', () => {
    const refusal = refusalOf({
      PatientBirthDate: '1970-01-01',
      PatientSex: 'female',
      PatientNme: 'Secret^Name',
      '(0010,0010)': 'Secret^Name',
      PatientID: 'fine',
      OtherPatientIDs: [],
    });
    expect(refusal).toMatchObject({ code: 'validation_error', status: 400 });
    expect(refusal.details).toEqual([
      { path: 'PatientBirthDate', message: 'must be a date, YYYYMMDD' },
      {
        path: 'PatientSex',
        message: 'must have capital letters, digits, spaces and underscores only',
      },
      { path: 'PatientNme', message: 'is neither a keyword of DICOM nor a tag of 8 hexadecimal digits' },
      { path: '(0010,0010)', message: 'is neither a keyword of DICOM nor a tag of 8 hexadecimal digits' },
      { path: 'OtherPatientIDs', message: 'must not be empty' },
    ]);
    expect(JSON.stringify([refusal.message, refusal.details])).not.toMatch(/Secret|1970|female/);
  });

  it.each([
    ['keyword and tag', { PatientID: '1', '00100020': '1' }],
    ['tag and keyword, one of them null', { '00100020': null, PatientID: '1' }],
    ['a tag in both cases', { '001021a0': 'NO', '001021A0': 'NO' }],
  ])('refuses one attribute given twice: %s', (_name, input) => {
    expect(refusalOf(input).details).toEqual([{ path: Object.keys(input)[1], message: 'is given twice' }]);
  });

  const pixels = 'describes pixels or waveforms, which metadata cannot change';
  it.each([
    [
      'is a UID, which metadata cannot change',
      'StudyInstanceUID 0020000D SOPInstanceUID FrameOfReferenceUID DeviceUID',
    ],
    [pixels, 'Rows 00280010 BitsAllocated PixelRepresentation NumberOfFrames PhotometricInterpretation'],
    [
      pixels,
      'SamplesPerPixel PlanarConfiguration RescaleSlope PixelData 7FE00010 FloatPixelData PixelSpacing',
    ],
    [pixels, 'RedPaletteColorLookupTableDescriptor SmallestImagePixelValue MappedPixelValue'],
    [pixels, '60000010 60FE3000 50000005 54001010 54000100 56000020'],
    ['is private', '00091001 00090010 70FF0010'],
    ['is the length of a group', '00080000 00100000'],
    [
      'is no attribute of a data set',
      '00000002 00020013 ImplementationVersionName CommandField FileSetID FFFEE000',
    ],
    [
      'holds a sequence or bytes, which metadata cannot',
      'ReferencedImageSequence 00400275 EncapsulatedDocument SelectorUNValue',
    ],
    ['says how the object is encoded, which metadata cannot change', 'SpecificCharacterSet 00080005'],
    ['is not a tag that DICOM knows', '00100013 0010FFFE'],
    [
      'is neither a keyword of DICOM nor a tag of 8 hexadecimal digits',
      'constructor toString patientname 0010,0010 (0010,0010)',
    ],
  ])('refuses what %s', (message, names) => {
    for (const path of names.split(' ')) {
      expect(refusalOf({ [path]: '1' }).details).toEqual([{ path, message }]);
      expect(refusalOf({ [path]: null }).details).toEqual([{ path, message }]); // nothing can be there to remove
    }
  });

  it('takes the statements on an image that are not about its pixels', () => {
    expect(parsePatch({ BurnedInAnnotation: 'NO', RecognizableVisualFeatures: 'YES' })).toEqual({
      BurnedInAnnotation: 'NO',
      RecognizableVisualFeatures: 'YES',
    });
  });

  it('refuses __proto__ and leaves no trace of it', () => {
    expect(refusalOf(JSON.parse('{"__proto__":{"PatientID":"x"}}')).details[0]?.path).toBe('__proto__');
    expect(({} as Record<string, unknown>)['PatientID']).toBeUndefined();
  });

  it.each([[null], [undefined], ['{}'], [1], [[]], [[{ PatientID: '1' }]]])(
    'refuses %j, which is no object',
    (input) => {
      expect(refusalOf(input).details).toEqual([expect.objectContaining({ path: '' })]);
    },
  );

  it('refuses too much of it before it looks at any of it', () => {
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`x${i}`, '']));
    expect(refusalOf(many).details).toEqual([{ path: '', message: 'must have at most 500 attributes' }]);
    const tooLong = { path: '', message: 'must have at most 65536 bytes' };
    expect(refusalOf({ ReasonForVisit: 'ü'.repeat(MAX_METADATA_BYTES / 2) }).details).toEqual([tooLong]);
    expect(refusalOf({ ReasonForVisit: 'x'.repeat(1_000_000) }).details).toEqual([tooLong]);
    expect(refusalOf({ OtherPatientIDs: Array(40_000).fill('ab') }).details).toEqual([tooLong]);
    expect(parsePatch({ ReasonForVisit: 'x'.repeat(MAX_METADATA_BYTES - 14) })).toHaveProperty(
      'ReasonForVisit',
    );
    expect(refusalOf({ '00321066': 'x'.repeat(MAX_METADATA_BYTES - 8) }).details).toEqual([tooLong]);
  });

  it('refuses depth without descending', () => {
    const deep: unknown = JSON.parse(
      `{"PatientID":${'['.repeat(30_000)}${']'.repeat(30_000)},"StudyID":{"a":{}}}`,
    );
    expect(refusalOf(deep).details.map(({ path }) => path)).toEqual(['PatientID', 'StudyID']);
  });

  it('answers any JSON, and what it accepts it accepts again', () => {
    const names = fc.oneof(
      fc.constantFrom(
        'PatientName',
        '00100010',
        'PatientWeight',
        'OtherPatientIDs',
        'StudyDate',
        'PregnancyStatus',
        'Rows',
      ),
      fc.string(),
    );
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom('20240229', '70.5', 1, 'A^B', ['A', 'B'], null));
    let accepted = 0;
    fc.assert(
      fc.property(fc.dictionary(names, values, { maxKeys: 4 }), (input) => {
        const { patch, problems } = readPatch(input);
        if (problems.length > 0) return;
        accepted++;
        expect(parsePatch(patch)).toEqual(patch);
        expect(JSON.parse(JSON.stringify(patch))).toEqual(patch);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
