import { Injectable } from '@nestjs/common';
import type { DicomHeader } from '../../formats/dicom/inspector.js';
import { Clock } from '../../platform/clock/clock.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { Registrar, type Registration, type VerifiedUpload } from '../uploads/registrar.js';
import { rejection } from '../uploads/uploads.rules.js';
import {
  findInstances,
  type InstanceRow,
  lockStudies,
  text,
  upsertSeries,
  upsertStudies,
  writeInstances,
} from './study.rows.js';

/** Registers verified DICOM instances: study and series are made by their UIDs, within one organization. */
@Injectable()
export class StudyRegistrar extends Registrar {
  constructor(private readonly clock: Clock) {
    super();
  }

  lock(tx: SqlTransaction, organizationId: string, headers: DicomHeader[]): Promise<void> {
    return lockStudies(
      tx,
      organizationId,
      headers.map(({ studyInstanceUid }) => studyInstanceUid),
    );
  }

  async register(
    tx: SqlTransaction,
    organizationId: string,
    uploads: VerifiedUpload[],
  ): Promise<Registration[]> {
    if (uploads.length === 0) return [];
    const now = this.clock.now();
    const headers = uploads.map(({ header }) => header);
    const known = await findInstances(
      tx,
      organizationId,
      headers.map(({ sopInstanceUid }) => sopInstanceUid),
    );
    // Refused before anything is made: a conflict with what is there leaves no empty study behind.
    const welcome = uploads
      .filter((upload) => !conflicts(known.get(upload.header.sopInstanceUid), upload))
      .map(({ header }) => header);
    const studies = await upsertStudies(tx, organizationId, welcome, now);
    const series = await upsertSeries(tx, organizationId, welcome, studies);

    const changed = new Map<string, InstanceRow>();
    const registrations = uploads.map((upload): Registration => {
      const { header, storedObjectId, principalId } = upload;
      const { sopInstanceUid } = header;
      const present = changed.get(sopInstanceUid) ?? known.get(sopInstanceUid);
      if (conflicts(present, upload)) return { rejection: rejection('dicom.conflict') };
      const study = studies.get(header.studyInstanceUid)!;
      if (present?.storedObjectId === storedObjectId) return { studyId: study.id, duplicate: true };
      const seriesId = series.get(`${study.id} ${header.seriesInstanceUid}`)!;
      changed.set(sopInstanceUid, {
        header,
        seriesId,
        storedObjectId,
        studyInstanceUid: header.studyInstanceUid,
        seriesInstanceUid: header.seriesInstanceUid,
        sopClassUid: header.sopClassUid,
        patientId: text(header.patientId),
        issuerOfPatientId: text(header.issuerOfPatientId),
        inconsistent: disagrees(study, header),
        uploaderIds: [principalId],
      });
      return { studyId: study.id, duplicate: false };
    });
    const written = await writeInstances(tx, organizationId, [...changed.values()], now);
    return registrations.map((registration, index) => {
      const { sopInstanceUid } = uploads[index]!.header;
      const lost = changed.has(sopInstanceUid) && !written.has(sopInstanceUid);
      return lost ? { rejection: rejection('dicom.conflict') } : registration;
    });
  }
}

/**
 * Whether this SOPInstanceUID already stands for something else, or for other bytes that somebody else brought: replacing
 * it could change another patient's study, or one the uploader may not even see.
 */
function conflicts(present: Omit<InstanceRow, 'header'> | undefined, upload: VerifiedUpload): boolean {
  if (!present) return false;
  const { header, storedObjectId, principalId } = upload;
  const isAnothers = present.uploaderIds.length > 0 && !present.uploaderIds.includes(principalId);
  if (isAnothers && present.storedObjectId !== storedObjectId) return true;
  return (
    present.studyInstanceUid !== header.studyInstanceUid ||
    present.seriesInstanceUid !== header.seriesInstanceUid ||
    present.sopClassUid !== header.sopClassUid ||
    present.patientId !== text(header.patientId) ||
    present.issuerOfPatientId !== text(header.issuerOfPatientId)
  );
}

/** Whether the instance says otherwise than its study about the patient or the study: kept, but marked. */
function disagrees(
  study: { patientId: string | null; patientName: string | null; studyDate: string | null },
  header: DicomHeader,
): boolean {
  return (
    study.patientId !== text(header.patientId) ||
    study.patientName !== text(header.patientName) ||
    study.studyDate !== text(header.studyDate)
  );
}
