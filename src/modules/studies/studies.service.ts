import { Injectable } from '@nestjs/common';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { lockStudies } from './study.rows.js';
import { hastenSubmissions } from './submission.rows.js';

/** The index of studies: a version of an instance stands in it as long as an upload of its bytes lives. */
@Injectable()
export class StudiesService {
  /** StudyInstanceUIDs of the studies an exam's uploads were registered in, in order. */
  async uidsOfExam(tx: SqlTransaction, organizationId: string, examId: string): Promise<string[]> {
    const studies = await tx.$queryRaw<{ uid: string }[]>`
      SELECT DISTINCT st.study_instance_uid AS uid FROM slot s
      JOIN upload u ON u.organization_id = s.organization_id AND u.slot_id = s.id AND u.study_id IS NOT NULL
      JOIN study st ON st.organization_id = u.organization_id AND st.id = u.study_id
      WHERE s.organization_id = ${organizationId}::uuid AND s.exam_id = ${examId}::uuid ORDER BY 1`;
    return studies.map(({ uid }) => uid);
  }

  /** Closes the order's groups as soon as what has landed is verified. Returns how many were open. */
  async hastenClosing(
    tx: SqlTransaction,
    organizationId: string,
    orderId: string,
    now: Date,
  ): Promise<number> {
    const studies = await tx.$queryRaw<{ id: string }[]>`
      SELECT study_id AS id FROM order_study
      WHERE organization_id = ${organizationId}::uuid AND order_id = ${orderId}::uuid`;
    return hastenSubmissions(
      tx,
      organizationId,
      studies.map(({ id }) => id),
      now,
    );
  }

  /** Locks those studies, as the workers do: before any upload row is locked. */
  async lockOfExam(tx: SqlTransaction, organizationId: string, examId: string): Promise<void> {
    await lockStudies(tx, organizationId, await this.uidsOfExam(tx, organizationId, examId));
  }

  /**
   * Takes out of the index what only deleted uploads had brought in: instances whose object no living upload refers to,
   * then series and studies that are left empty. For the transaction that deletes uploads.
   */
  async withdrawUnreferenced(
    tx: SqlTransaction,
    organizationId: string,
    storedObjectIds: string[],
  ): Promise<void> {
    if (storedObjectIds.length === 0) return;
    const affected = await tx.$queryRaw<{ uid: string }[]>`
      SELECT DISTINCT st.study_instance_uid AS uid FROM instance i
      JOIN series se ON se.organization_id = i.organization_id AND se.id = i.series_id
      JOIN study st ON st.organization_id = se.organization_id AND st.id = se.study_id
      WHERE i.organization_id = ${organizationId}::uuid AND i.stored_object_id = ANY (${storedObjectIds}::uuid[])`;
    await lockStudies(
      tx,
      organizationId,
      affected.map(({ uid }) => uid),
    );
    const gone = await tx.$queryRaw<{ series_id: string; uid: string; present: boolean }[]>`
      DELETE FROM instance i
      WHERE i.organization_id = ${organizationId}::uuid AND i.stored_object_id = ANY (${storedObjectIds}::uuid[])
        AND NOT EXISTS (
          SELECT 1 FROM upload u WHERE u.organization_id = i.organization_id AND u.stored_object_id = i.stored_object_id
            AND u.state = 'registered')
      RETURNING i.series_id, i.sop_instance_uid AS uid, i.superseded_in IS NULL AS present`;
    if (gone.length === 0) return;
    await restoreFormer(
      tx,
      organizationId,
      gone.flatMap(({ uid, present }) => (present ? [uid] : [])),
    );
    const emptied = await tx.$queryRaw<{ study_id: string }[]>`
      DELETE FROM series s
      WHERE s.organization_id = ${organizationId}::uuid AND s.id = ANY (${gone.map(({ series_id }) => series_id)}::uuid[])
        AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.organization_id = s.organization_id AND i.series_id = s.id)
      RETURNING s.study_id`;
    await tx.$executeRaw`
      UPDATE upload u SET study_id = NULL
      WHERE u.organization_id = ${organizationId}::uuid AND u.study_id = ANY (${emptied.map(({ study_id }) => study_id)}::uuid[])
        AND NOT EXISTS (SELECT 1 FROM series s WHERE s.organization_id = u.organization_id AND s.study_id = u.study_id)`;
    await tx.$executeRaw`
      DELETE FROM study st
      WHERE st.organization_id = ${organizationId}::uuid AND st.id = ANY (${emptied.map(({ study_id }) => study_id)}::uuid[])
        AND NOT EXISTS (SELECT 1 FROM series s WHERE s.organization_id = st.organization_id AND s.study_id = st.id)`;
  }
}

/** Where the present version went, the one before it is present again: its upload still lives. */
async function restoreFormer(
  tx: SqlTransaction,
  organizationId: string,
  sopInstanceUids: string[],
): Promise<void> {
  await tx.$executeRaw`
    UPDATE instance i SET superseded_in = NULL
    FROM (SELECT DISTINCT ON (f.sop_instance_uid) f.id FROM instance f
          WHERE f.organization_id = ${organizationId}::uuid AND f.sop_instance_uid = ANY (${sopInstanceUids}::text[])
          ORDER BY f.sop_instance_uid, f.landed_at DESC NULLS LAST, f.upload_id DESC) AS former
    WHERE i.organization_id = ${organizationId}::uuid AND i.id = former.id`;
}
