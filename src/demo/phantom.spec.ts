import { describe, expect, it } from '@jest/globals';
import dicomParser from 'dicom-parser';

import { DicomInspector } from '../formats/dicom/inspector.js';
import { ctPhantomSlices } from './phantom.js';

const SMALL = { slices: 8, size: 128 };

function hounsfieldOf(bytes: Uint8Array): number[] {
  const dataSet = dicomParser.parseDicom(new Uint8Array(bytes));
  const { dataOffset, length } = dataSet.elements['x7fe00010']!;
  const view = new DataView(dataSet.byteArray.buffer, dataSet.byteArray.byteOffset + dataOffset, length);
  const intercept = Number(dataSet.string('x00281052'));
  return Array.from({ length: length / 2 }, (_, i) => view.getUint16(2 * i, true) + intercept);
}

describe('ctPhantomSlices', () => {
  it('makes one series that the inspector accepts', async () => {
    const headers = [];
    for (const { bytes } of ctPhantomSlices({ ...SMALL, patientName: 'Test^Head', patientId: 'T-1' })) {
      const inspector = new DicomInspector();
      inspector.write(bytes);
      const verdict = await inspector.end();
      if (!verdict.ok) throw new Error(verdict.rule);
      headers.push(verdict.header);
    }
    expect(headers).toHaveLength(8);
    expect(new Set(headers.map((header) => header.sopInstanceUid)).size).toBe(8);
    expect(new Set(headers.map((header) => header.seriesInstanceUid)).size).toBe(1);
    expect(headers[7]).toMatchObject({
      patientName: 'Test^Head',
      patientId: 'T-1',
      modality: 'CT',
      instanceNumber: 8,
      rows: 128,
      columns: 128,
    });
  });

  it('has evenly spaced slices from below to above', () => {
    const places = [...ctPhantomSlices(SMALL)].map(({ bytes }) => {
      const dataSet = dicomParser.parseDicom(new Uint8Array(bytes));
      return { z: dataSet.floatString('x00200032', 2)!, thickness: dataSet.floatString('x00180050')! };
    });
    for (let i = 1; i < places.length; i++) {
      expect(places[i]!.z - places[i - 1]!.z).toBeCloseTo(places[i]!.thickness, 4);
    }
  });

  it('holds air, fat, brain, bone and enamel in believable amounts', () => {
    const values = [...ctPhantomSlices({ slices: 16, size: 128 })].flatMap(({ bytes }) =>
      hounsfieldOf(bytes),
    );
    const share = (from: number, to: number): number =>
      values.filter((hu) => hu >= from && hu < to).length / values.length;
    expect(share(-1024, -900)).toBeGreaterThan(0.5);
    expect(share(-130, -60)).toBeGreaterThan(0.01);
    expect(share(15, 70)).toBeGreaterThan(0.1);
    expect(share(400, 1800)).toBeGreaterThan(0.02);
    expect(share(1900, 3072)).toBeGreaterThan(0);
  });

  it('has the same pixels at every call', () => {
    const [first, second] = [0, 1].map(() =>
      hounsfieldOf([...ctPhantomSlices({ slices: 2, size: 64 })][1]!.bytes),
    );
    expect(second).toEqual(first);
  });

  it('makes files of half a megabyte by default', () => {
    const { name, bytes } = ctPhantomSlices().next().value as { name: string; bytes: Uint8Array };
    expect(name).toBe('CT-001.dcm');
    expect(bytes.length).toBeGreaterThan(512 * 1024);
    expect(bytes.length).toBeLessThan(516 * 1024);
  });
});
