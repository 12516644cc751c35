import { describe, expect, it } from '@jest/globals';

import { processorTime } from '../processor-time.fixture.js';
import {
  concat,
  CT_IMAGE_STORAGE,
  description,
  identity,
  inspect,
  pixels,
  sequences,
} from './dicom.fixture.js';
import { type DicomRule, DicomInspector } from './inspector.js';
import { TRANSFER_SYNTAX } from './transfer-syntax.js';
import { type DicomElement, elementsFrom, writeDicom, type WriteDicomOptions } from './write.js';

const image: readonly DicomElement[] = [...description, ...sequences, pixels];
const imageFile = writeDicom({ elements: image });
const fragments = { fragments: [new Uint8Array(10).fill(1), new Uint8Array(501).fill(2), new Uint8Array(0)] };

/** An archive with one empty entry, as small as they come. */
const entry = concat(Buffer.from('PK\x03\x04', 'latin1'), new Uint8Array(26));
const directory = concat(Buffer.from('PK\x01\x02', 'latin1'), new Uint8Array(42));
const endRecord = Buffer.alloc(22);
endRecord.write('PK\x05\x06', 'latin1');
endRecord.writeUInt16LE(1, 8);
endRecord.writeUInt16LE(1, 10);
endRecord.writeUInt32LE(directory.length, 12);
endRecord.writeUInt32LE(entry.length, 16);
const archive = concat(entry, directory, endRecord);

const preamble = (start: string, at = 0): Uint8Array => {
  const bytes = Buffer.alloc(128);
  bytes.write(start, at, 'latin1');
  return bytes;
};
const without = (keyword: string): DicomElement[] => image.filter((element) => element.tag !== keyword);
const longer = (
  tag: 'PatientID' | 'IssuerOfPatientID' | 'AccessionNumber',
  value: string,
): DicomElement[] => [
  { tag: 'SpecificCharacterSet', value: 'ISO_IR 192' },
  ...without(tag).filter((element) => element.tag !== 'SpecificCharacterSet'),
  { tag, value },
];
const replaced = (element: DicomElement): DicomElement[] => [...without(element.tag as string), element];

async function ruleOf(bytes: Uint8Array, maxHeaderBytes?: number): Promise<DicomRule | 'ok'> {
  const verdict = await inspect(bytes, { maxHeaderBytes });
  return verdict.ok ? 'ok' : verdict.rule;
}
const ruleOfFile = (options: WriteDicomOptions): Promise<DicomRule | 'ok'> => ruleOf(writeDicom(options));

describe('DicomInspector accepts', () => {
  it.each([
    ['implicit little endian', TRANSFER_SYNTAX.implicitLittleEndian, pixels],
    ['explicit little endian', TRANSFER_SYNTAX.explicitLittleEndian, pixels],
    ['explicit big endian', TRANSFER_SYNTAX.explicitBigEndian, pixels],
    ['deflated', TRANSFER_SYNTAX.deflatedExplicitLittleEndian, pixels],
    ['encapsulated', TRANSFER_SYNTAX.jpegBaseline, { tag: 'PixelData', value: fragments }],
    ['a syntax nobody knows, encapsulated', '2.25.4711', { tag: 'PixelData', value: fragments }],
    ['an encapsulated syntax with native pixels', TRANSFER_SYNTAX.jpegBaseline, pixels],
  ] as const)('%s, with all values', async (_name, transferSyntaxUid, pixelData) => {
    const elements = [...description, ...sequences, pixelData];
    expect(await inspect(writeDicom({ transferSyntaxUid, elements }))).toEqual({
      ok: true,
      header: {
        transferSyntaxUid,
        sopClassUid: CT_IMAGE_STORAGE,
        sopInstanceUid: '2.25.11',
        studyInstanceUid: '2.25.12',
        seriesInstanceUid: '2.25.13',
        patientId: 'P-1',
        issuerOfPatientId: 'Hospital',
        patientName: 'Müller^Jörg',
        patientBirthDate: '19700101',
        patientSex: 'O',
        accessionNumber: 'A-1',
        studyDate: '20240131',
        studyTime: '101530.5',
        studyDescription: 'Head without contrast',
        studyId: 'S1',
        referringPhysicianName: 'Referrer^Rita',
        modality: 'CT',
        seriesNumber: 2,
        seriesDescription: 'Axial',
        bodyPartExamined: 'HEAD',
        manufacturer: 'Ångström',
        instanceNumber: 3,
        numberOfFrames: 1,
        rows: 4,
        columns: 8,
        bitsAllocated: 16,
        samplesPerPixel: 1,
        photometricInterpretation: 'MONOCHROME2',
      },
    });
  });

  it.each<[string, WriteDicomOptions]>([
    ['a file without preamble', { elements: image, preamble: null }],
    ['a TIFF preamble', { elements: image, preamble: preamble('II*\0') }],
    ['a big endian TIFF preamble', { elements: image, preamble: preamble('MM\0*') }],
    ["a vendor's preamble", { elements: image, preamble: preamble('VENDOR 1.0') }],
    ['File Meta Information without its length', { elements: image, fileMetaGroupLength: false }],
    [
      'File Meta Information that names no instance',
      {
        elements: image,
        fileMeta: [{ tag: 'MediaStorageSOPInstanceUID' }],
      },
    ],
    ['elements out of order', { elements: [...image].reverse(), order: 'given' }],
    ['an object without pixels', { elements: [...identity, ...elementsFrom({ Modality: 'SR' })] }],
    [
      'an image stripped of its pixels',
      {
        elements: [...without('PixelData'), { tag: 0x00400244, vr: 'DA', value: '20240131' }],
      },
    ],
    [
      'float pixels',
      { elements: [...without('PixelData'), { tag: 'FloatPixelData', value: new Uint8Array(128) }] },
    ],
    [
      'double float pixels',
      {
        elements: [...without('PixelData'), { tag: 'DoubleFloatPixelData', value: new Uint8Array(256) }],
      },
    ],
    ['no pixels at all in PixelData', { elements: replaced({ tag: 'PixelData', value: new Uint8Array(0) }) }],
    ['trailing padding', { elements: [...image, { tag: 0xfffcfffc, vr: 'OB', value: new Uint8Array(500) }] }],
    ['a UID of one digit', { elements: replaced({ tag: 'StudyInstanceUID', value: '1' }) }],
    ['a UID padded with spaces', { elements: replaced({ tag: 'StudyInstanceUID', value: '1.2.3   ' }) }],
    ['a VR nobody knows', { elements: [...image, { tag: 0x00091099, vr: 'ZZ', value: 'abcd' }] }],
    [
      'an archive that is the value of an attribute',
      {
        elements: [...image, { tag: 0x00091098, vr: 'OB', value: archive }],
      },
    ],
    ['an archive among the pixels', { elements: replaced({ tag: 'PixelData', value: archive }) }],
  ])('%s', async (_name, options) => {
    expect(await ruleOfFile(options)).toBe('ok');
  });

  it('zeros behind the pixels', async () => {
    for (const count of [1, 8, 511])
      expect(await ruleOf(concat(imageFile, new Uint8Array(count)))).toBe('ok');
    const encapsulated = writeDicom({
      transferSyntaxUid: TRANSFER_SYNTAX.jpegBaseline,
      elements: replaced({ tag: 'PixelData', value: fragments }),
    });
    expect(await ruleOf(concat(encapsulated, new Uint8Array(100)))).toBe('ok');
  });

  it('UN of undefined length, which is implicit little endian inside, in either byte order', async () => {
    const inner = Buffer.from(
      'feff00e0ffffffff' + '10002000020000004142' + 'feff0de000000000' + 'feffdde000000000',
      'hex',
    );
    for (const transferSyntaxUid of [
      TRANSFER_SYNTAX.explicitLittleEndian,
      TRANSFER_SYNTAX.explicitBigEndian,
    ]) {
      const before = writeDicom({ transferSyntaxUid, elements: identity });
      const little = transferSyntaxUid === TRANSFER_SYNTAX.explicitLittleEndian;
      const unknown = Buffer.from((little ? '09000110' : '00091001') + '554e0000ffffffff', 'hex');
      const after = Buffer.from(
        (little ? '10002000' : '00100020') + '4c4f' + (little ? '0200' : '0002') + '5a5a',
        'hex',
      );
      const verdict = await inspect(concat(before, unknown, inner, after));
      expect(verdict).toMatchObject({ ok: true, header: { patientId: 'ZZ' } });
    }
  });

  it('another instance in the File Meta Information, if told to', async () => {
    const file = writeDicom({
      elements: image,
      fileMeta: [{ tag: 'MediaStorageSOPInstanceUID', value: '1.2.3' }],
    });
    expect((await inspect(file, { sopMismatch: 'accept' })).ok).toBe(true);
  });

  it('chunks whose memory is used again', async () => {
    const inspector = new DicomInspector();
    const chunk = Buffer.alloc(100);
    for (let at = 0; at < imageFile.length; at += chunk.length) {
      const length = chunk.fill(0xff) && Buffer.from(imageFile.subarray(at, at + chunk.length)).copy(chunk);
      inspector.write(chunk.subarray(0, length));
    }
    chunk.fill(0x39);
    expect(await inspector.end()).toEqual(await inspect(imageFile));
  });
});

describe('DicomInspector refuses', () => {
  it.each<[DicomRule, string, WriteDicomOptions]>([
    ['dicom.missing-sop-class-uid', 'no SOPClassUID', { elements: without('SOPClassUID') }],
    ['dicom.missing-sop-instance-uid', 'no SOPInstanceUID', { elements: without('SOPInstanceUID') }],
    ['dicom.missing-study-uid', 'no StudyInstanceUID', { elements: without('StudyInstanceUID') }],
    ['dicom.missing-series-uid', 'no SeriesInstanceUID', { elements: without('SeriesInstanceUID') }],
    [
      'dicom.missing-study-uid',
      'an empty UID',
      { elements: replaced({ tag: 'StudyInstanceUID', value: '' }) },
    ],
    ['dicom.bad-uid', 'letters', { elements: replaced({ tag: 'StudyInstanceUID', value: '1.2.x' }) }],
    ['dicom.bad-uid', 'leading zeros', { elements: replaced({ tag: 'SeriesInstanceUID', value: '1.02' }) }],
    ['dicom.bad-uid', 'an empty component', { elements: replaced({ tag: 'SOPClassUID', value: '1..2' }) }],
    [
      'dicom.bad-uid',
      'two values',
      { elements: replaced({ tag: 'StudyInstanceUID', value: ['1.2', '1.3'] }) },
    ],
    [
      'dicom.bad-uid',
      '65 characters',
      {
        elements: replaced({ tag: 'StudyInstanceUID', value: `1.${'2'.repeat(63)}` }),
      },
    ],
    [
      'dicom.bad-uid',
      'a transfer syntax that is none',
      {
        elements: image,
        fileMeta: [{ tag: 'TransferSyntaxUID', value: 'JPEG' }],
      },
    ],
    [
      'dicom.sop-mismatch',
      'another instance in the File Meta Information',
      {
        elements: image,
        fileMeta: [{ tag: 'MediaStorageSOPInstanceUID', value: '1.2.3' }],
      },
    ],
    [
      'dicom.dicomdir',
      'a DICOMDIR',
      {
        elements: image,
        fileMeta: [{ tag: 'MediaStorageSOPClassUID', value: '1.2.840.10008.1.3.10' }],
      },
    ],
    ['dicom.malformed', 'no transfer syntax', { elements: image, fileMeta: [{ tag: 'TransferSyntaxUID' }] }],
    ['dicom.malformed', 'an attribute twice', { elements: [...image, { tag: 'PatientID', value: 'P-2' }] }],
    [
      'dicom.malformed',
      'a value far beyond its VR',
      {
        elements: replaced({ tag: 'StudyDescription', value: 'x'.repeat(20_000) }),
      },
    ],
    ['dicom.malformed', 'a PatientID no index takes', { elements: longer('PatientID', 'x'.repeat(1025)) }],
    ['dicom.malformed', 'an issuer as long', { elements: longer('IssuerOfPatientID', 'x'.repeat(1025)) }],
    [
      'dicom.malformed',
      'an AccessionNumber as long',
      { elements: longer('AccessionNumber', 'é'.repeat(513)) },
    ],
    [
      'dicom.malformed',
      'implicit data that claims to be explicit',
      {
        transferSyntaxUid: TRANSFER_SYNTAX.implicitLittleEndian,
        elements: image,
        fileMeta: [{ tag: 'TransferSyntaxUID', value: TRANSFER_SYNTAX.explicitLittleEndian }],
      },
    ],
    [
      'dicom.header-too-large',
      'endless File Meta Information',
      {
        elements: image,
        fileMeta: [{ tag: 0x00020102, vr: 'OB', value: new Uint8Array(2 ** 20) }],
      },
    ],
    ['dicom.polyglot', 'MZ', { elements: image, preamble: preamble('MZ\x90') }],
    ['dicom.polyglot', 'ELF', { elements: image, preamble: preamble('\x7fELF') }],
    ['dicom.polyglot', 'Mach-O', { elements: image, preamble: preamble('\xcf\xfa\xed\xfe') }],
    ['dicom.polyglot', 'a script', { elements: image, preamble: preamble('#!/bin/sh\n') }],
    ['dicom.polyglot', 'an archive', { elements: image, preamble: preamble('PK\x03\x04') }],
    ['dicom.polyglot', 'a PDF', { elements: image, preamble: preamble('%PDF-1.7', 40) }],
    [
      'dicom.polyglot',
      'an archive in the trailing padding',
      {
        elements: [...image, { tag: 0xfffcfffc, vr: 'OB', value: archive }],
      },
    ],
  ])('%s: %s', async (rule, _name, options) => {
    expect(await ruleOfFile(options)).toBe(rule);
  });

  it('empty: nothing', async () => {
    expect(await ruleOf(new Uint8Array(0))).toBe('empty');
  });

  it('dicom.not-part10: text, noise, a preamble alone, a data set without File Meta Information', async () => {
    for (const text of ['hello\n', 'hello world. '.repeat(100), '\0'.repeat(4000), '\x02\0']) {
      expect(await ruleOf(Buffer.from(text, 'latin1'))).toBe('dicom.not-part10');
    }
    expect(await ruleOf(imageFile.subarray(0, 132))).toBe('dicom.not-part10');
    const dataSet = writeDicom({ elements: image, preamble: null }).subarray(200);
    expect(await ruleOf(concat(preamble(''), Buffer.from('DICM'), dataSet))).toBe('dicom.not-part10');
  });

  it('dicom.truncated: every file that is cut, wherever it is cut', async () => {
    for (const transferSyntaxUid of Object.values(TRANSFER_SYNTAX)) {
      const pixelData: DicomElement =
        transferSyntaxUid === TRANSFER_SYNTAX.jpegBaseline ? { tag: 'PixelData', value: fragments } : pixels;
      const whole = writeDicom({ transferSyntaxUid, elements: [...description, pixelData] });
      expect(await ruleOf(whole)).toBe('ok');
      let accepted = 0;
      for (let length = 140; length < whole.length - 1; length++) {
        const rule = await ruleOf(whole.subarray(0, length));
        if (rule === 'ok') accepted++;
        else expect(`${rule} at ${length} in ${transferSyntaxUid}`).toMatch(/^dicom\.(truncated|missing-)/);
      }
      // After SeriesInstanceUID come three elements before the first that promises pixels: a file which ends right
      // behind one of those four could be whole.
      expect(accepted).toBe(transferSyntaxUid === TRANSFER_SYNTAX.deflatedExplicitLittleEndian ? 0 : 4);
    }
  });

  it('dicom.truncated: encapsulated pixels without their delimiter', async () => {
    const file = writeDicom({
      transferSyntaxUid: TRANSFER_SYNTAX.jpegBaseline,
      elements: [...description, { tag: 'PixelData', value: fragments }],
    });
    expect(await inspect(file.subarray(0, file.length - 8))).toMatchObject({
      rule: 'dicom.truncated',
      where: '(7FE0,0010)',
    });
  });

  it('dicom.malformed: bytes behind the pixels that are neither padding nor elements', async () => {
    expect(await ruleOf(concat(imageFile, Buffer.from('and then some more text')))).toBe('dicom.malformed');
  });

  it('dicom.malformed: an element that crosses the end of its item', async () => {
    const file = Buffer.from(writeDicom({ elements: [...identity, sequences[0]!] }));
    const innerId = file.lastIndexOf('not the patient');
    file.writeUInt16LE(4000, innerId - 2);
    expect(await inspect(file)).toMatchObject({ rule: 'dicom.malformed', where: '(0010,0020)' });
  });

  it('dicom.polyglot: an archive behind the object, in every encoding, with or without pixels', async () => {
    for (const transferSyntaxUid of Object.values(TRANSFER_SYNTAX)) {
      for (const elements of [image, identity]) {
        const file = concat(writeDicom({ transferSyntaxUid, elements }), archive);
        expect(await ruleOf(file)).toBe('dicom.polyglot');
        expect(await inspect(file, {}, 1)).toEqual(await inspect(file));
      }
    }
    const farAway = concat(imageFile, entry, directory, endRecord, new Uint8Array(60_000));
    expect(await ruleOf(farAway)).toBe('dicom.polyglot');
  });

  it('dicom.header-too-large: more attributes than the bound, though not more pixels', async () => {
    const large: DicomElement = { tag: 0x00091001, vr: 'OB', value: new Uint8Array(10_000) };
    expect(await ruleOf(writeDicom({ elements: [...identity, large] }), 5000)).toBe('dicom.header-too-large');
    expect(await ruleOf(writeDicom({ elements: replaced({ ...pixels, value: large.value }) }), 5000)).toBe(
      'ok',
    );
  });

  it('dicom.header-too-large: a bomb of zeros, soon', async () => {
    const zeros: DicomElement = { tag: 'PixelData', value: new Uint8Array(128 * 2 ** 20) };
    const bomb = writeDicom({
      transferSyntaxUid: TRANSFER_SYNTAX.deflatedExplicitLittleEndian,
      elements: [...identity, zeros],
    });
    expect(bomb.length).toBeLessThan(2 ** 20);
    const spent = await processorTime(async () => {
      expect(await ruleOf(bomb)).toBe('dicom.header-too-large');
    });
    expect(spent).toBeLessThan(2000);
  });

  it('dicom.malformed: a deflated data set that is noise', async () => {
    const file = Buffer.from(
      writeDicom({ transferSyntaxUid: TRANSFER_SYNTAX.deflatedExplicitLittleEndian, elements: image }),
    );
    file.fill(0xff, file.length - 300, file.length - 200);
    expect(await ruleOf(file)).toBe('dicom.malformed');
  });

  it('without a word about the patient', async () => {
    const elements = [
      ...replaced({ tag: 'PatientID', value: 'SECRET' }),
      { tag: 'PatientID', value: 'SECRET' } as const,
    ];
    expect(JSON.stringify(await inspect(writeDicom({ elements })))).not.toContain('SECRET');
  });
});
