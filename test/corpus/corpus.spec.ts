import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import {
  DicomInspector,
  type DicomInspectorOptions,
  type DicomVerdict,
} from '../../src/formats/dicom/inspector.js';
import { NiftiInspector, type NiftiVerdict } from '../../src/formats/nifti/inspector.js';
import { sniff } from '../../src/formats/sniff/sniff.js';
import { openZip } from '../../src/formats/zip/archive.js';
import type { ContentsVerdict } from '../../src/formats/zip/contents.js';
import { InflateBudget } from '../../src/formats/zip/inflate-budget.js';
import { bytesSource } from '../../src/formats/zip/range-source.js';
import { surveyArchive } from '../../src/formats/zip/survey.js';
import { readManifest, type Row } from './manifest.js';

/**
 * Real and broken files of other projects, in a folder of their own: `SCANDOCK_CORPUS=<folder> npm run test:corpus`. Its
 * MANIFEST.tsv has a row a file, with the verdict of independent programs. Without the folder nothing is checked.
 */
const corpus = process.env['SCANDOCK_CORPUS'];

async function inspect(
  bytes: Uint8Array,
  chunkBytes: number,
  options?: DicomInspectorOptions,
): Promise<DicomVerdict> {
  const inspector = new DicomInspector(options);
  for (let at = 0; at < bytes.length; at += chunkBytes) inspector.write(bytes.subarray(at, at + chunkBytes));
  return inspector.end();
}

async function inspectNifti(bytes: Uint8Array): Promise<NiftiVerdict> {
  const inspector = new NiftiInspector(new InflateBudget(bytes.length));
  inspector.write(bytes);
  return inspector.end();
}

async function judgeArchive(bytes: Uint8Array, blockBytes?: number): Promise<ContentsVerdict> {
  const result = await openZip(bytesSource(bytes), { blockBytes });
  return result.ok ? surveyArchive(result.archive) : result;
}

function named(rows: readonly Row[], kind: string): (readonly [string, Row])[] {
  return rows.filter((row) => row['kind'] === kind).map((row) => [row['path']!, row] as const);
}

if (corpus === undefined) {
  it('needs SCANDOCK_CORPUS', () => {
    console.log('corpus: skipped, SCANDOCK_CORPUS names no folder');
    expect(corpus).toBeUndefined();
  });
} else {
  const rows = readManifest(corpus);
  const read = (path: string): Buffer => readFileSync(join(corpus, path));

  it('every row is of a kind that is judged below, or says that it is not for that', () => {
    const others = rows.filter((row) => !['dicom', 'nifti', 'zip'].includes(row['kind']!));
    expect(others.filter((row) => row['expected'] !== 'n/a')).toEqual([]);
  });

  describe('DICOM files of the corpus', () => {
    it.each(named(rows, 'dicom'))('%s', async (path, row) => {
      const bytes = read(path);
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

  describe('NIfTI files of the corpus', () => {
    it.each(named(rows, 'nifti'))('%s', async (path, row) => {
      const verdict = await inspectNifti(read(path));
      expect(verdict).toMatchObject({ ok: row['expected'] === 'accept' });
    });
  });

  describe('ZIP archives of the corpus', () => {
    it.each(named(rows, 'zip'))('%s', async (path, row) => {
      const bytes = read(path);
      const verdict = await judgeArchive(bytes);
      expect(verdict).toMatchObject({ ok: row['expected'] === 'accept' });
      expect(await judgeArchive(bytes, 97)).toEqual(verdict);
      if (verdict.ok) return;
      expect(`${verdict.rule} ${verdict.where}`).toMatch(
        row['reason']!.startsWith('archive readable')
          ? /^zip[.](?!encrypted)/
          : /^zip[.](?!no-imaging|nested)/,
      );
    });
  });
}
