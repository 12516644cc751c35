import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { parseSidecar } from './sidecar.js';

const bytesOf = (input: unknown): Uint8Array => Buffer.from(JSON.stringify(input));

describe('parseSidecar', () => {
  it('gives an overlay by keyword', () => {
    const sidecar = {
      '00100010': 'Müller^Jörg',
      PatientWeight: 70.5,
      OtherPatientIDs: ['A', 'B'],
      StudyID: null,
    };
    expect(parseSidecar(bytesOf(sidecar))).toEqual({
      ok: true,
      overlay: { OtherPatientIDs: ['A', 'B'], PatientName: 'Müller^Jörg', PatientWeight: '70.5' },
    });
    expect(parseSidecar(Buffer.from('\ufeff{"StudyID":"1"}'))).toEqual({
      ok: true,
      overlay: { StudyID: '1' },
    });
    expect(parseSidecar(bytesOf({}))).toEqual({ ok: true, overlay: {} });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['Latin-1', Buffer.from('{"PatientName":"M\xfcller"}', 'latin1')],
    ['UTF-16', Buffer.from('{"StudyID":"1"}', 'utf16le')],
    ['more than 64 KiB', `{"StudyID":"1"}${' '.repeat(65_536)}`],
    [
      'more than 500 attributes',
      JSON.stringify(Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`x${i}`, 1]))),
    ],
    ['great depth', '['.repeat(60_000)],
    ['a tag whose keyword is too long for the rest', JSON.stringify({ '0018937B': 'x'.repeat(65_523) })],
  ])('refuses %s', (_name, content) => {
    const { message, ...refusal } = parseSidecar(Buffer.from(content)) as { ok: false; message: string };
    expect(refusal).toEqual({ ok: false, rule: 'metadata.sidecar' });
    expect(message).toContain('metadata.json');
  });

  it.each([
    [{ StudyID: 'fine', PatientSex: 'female' }, 'PatientSex'],
    [{ '00100040': 'female' }, 'PatientSex'],
    [{ StudyInstanceUID: '1.2.3' }, 'StudyInstanceUID'],
    [{ Rows: 5 }, 'Rows'],
    [{ StudyID: 'fine', 'Doe^Jane': 'x' }, 'attribute 2'],
    [{ '00091001': 'x' }, 'attribute 1'],
  ])('says where, but no value and no name that is not one of DICOM: %j', (content, where) => {
    expect(parseSidecar(bytesOf(content))).toMatchObject({ ok: false, rule: 'metadata.sidecar', where });
  });

  it('never throws', () => {
    const inputs = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.dictionary(fc.constantFrom('PatientID', 'StudyID', 'Rows'), fc.jsonValue()).map(bytesOf),
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        const reading = parseSidecar(bytes);
        if (!reading.ok) expect(reading.rule).toBe('metadata.sidecar');
      }),
      { numRuns: 1000 },
    );
  });
});
