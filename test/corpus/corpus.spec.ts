import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import {
  DicomInspector,
  type DicomInspectorOptions,
  type DicomVerdict,
} from '../../src/formats/dicom/inspector.js';
import { sniff } from '../../src/formats/sniff/sniff.js';

/**
 * Real and broken files of other projects, in a folder of their own: `SCANDOCK_CORPUS=<folder> npm test`. Its
 * MANIFEST.tsv has a row a file, with the verdict of independent programs. Without the folder nothing is checked.
 */
const corpus = process.env['SCANDOCK_CORPUS'];

type Row = Readonly<Record<string, string>>;

function readManifest(folder: string): Row[] {
  const [head, ...lines] = readFileSync(join(folder, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n');
  const names = head!.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
  });
}

async function inspect(
  bytes: Uint8Array,
  chunkBytes: number,
  options?: DicomInspectorOptions,
): Promise<DicomVerdict> {
  const inspector = new DicomInspector(options);
  for (let at = 0; at < bytes.length; at += chunkBytes) inspector.write(bytes.subarray(at, at + chunkBytes));
  return inspector.end();
}

if (corpus === undefined) {
  it('needs SCANDOCK_CORPUS', () => {
    console.log('corpus: skipped, SCANDOCK_CORPUS names no folder');
    expect(corpus).toBeUndefined();
  });
} else {
  const rows = readManifest(corpus).filter((row) => row['kind'] === 'dicom');

  describe('DICOM files of the corpus', () => {
    it('are there', () => expect(rows.length).toBeGreaterThan(0));

    it.each(rows.map((row) => [row['path']!, row] as const))('%s', async (path, row) => {
      const bytes = readFileSync(join(corpus, path));
      expect(sniff(bytes.subarray(0, 512))).toBe('dicom');
      // The programs that judged the corpus do not compare the File Meta Information with the data set.
      const verdict = await inspect(bytes, 65_536, { sopMismatch: 'accept' });
      const strict = await inspect(bytes, 777);
      if (strict.ok || strict.rule !== 'dicom.sop-mismatch') expect(strict).toEqual(verdict);
      if (row['expected'] === 'reject') {
        expect(verdict.ok).toBe(false);
        return;
      }
      if (!verdict.ok) throw new Error(`refused: ${verdict.rule} at ${verdict.where}`);
      const { header } = verdict;
      expect({
        SOPClassUID: header.sopClassUid,
        SOPInstanceUID: header.sopInstanceUid,
        StudyInstanceUID: header.studyInstanceUid,
        SeriesInstanceUID: header.seriesInstanceUid,
        PatientID: header.patientId ?? '',
        Modality: header.modality ?? '',
        ts: header.transferSyntaxUid,
        frames: String(header.numberOfFrames ?? (header.rows === undefined ? 0 : 1)),
      }).toEqual({
        SOPClassUID: row['SOPClassUID'],
        SOPInstanceUID: row['SOPInstanceUID'],
        StudyInstanceUID: row['StudyInstanceUID'],
        SeriesInstanceUID: row['SeriesInstanceUID'],
        PatientID: row['PatientID'],
        Modality: row['Modality'],
        ts: row['ts'],
        frames: row['frames'],
      });
    });
  });
}
