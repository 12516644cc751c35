import { DicomInspector } from '../dicom/inspector.js';
import type { DocumentFailure, DocumentReader } from './rules.js';

/** SR documents (PS3.4 annex B.5), and of the encapsulated documents those that are read: PDF and CDA. */
const REPORTS = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(88\.[\d.]+|104\.[12])$/;

/** A DICOM object that is a report. */
export class ReportObjectReader implements DocumentReader {
  private readonly inspector = new DicomInspector({ sopMismatch: 'accept' });

  async write(bytes: Uint8Array): Promise<void> {
    this.inspector.write(bytes);
    if (this.inspector.drained) await this.inspector.drained;
  }

  async end(): Promise<DocumentFailure | undefined> {
    const verdict = await this.inspector.end();
    if (!verdict.ok) return { rule: verdict.rule, ...(verdict.where && { where: verdict.where }) };
    return REPORTS.test(verdict.header.sopClassUid)
      ? undefined
      : { rule: 'dicom.not-a-report', where: '(0008,0016)' };
  }
}
