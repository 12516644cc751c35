import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Pool } from 'pg';
import type { Principal } from '../../src/platform/authorization/principal.js';
import type { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { insertIssued, insertSlots } from '../../src/modules/uploads/upload.issue.js';
import { stagingKey } from '../../src/modules/uploads/uploads.keys.js';

const PRINCIPAL: Principal = { kind: 'api_key', id: newId(), organizationId: '', label: 'test' };
const URL_LIFETIME_MS = 900_000;

/** An organization with nothing in it, written past the application. */
export async function insertOrganization(admin: Pool): Promise<string> {
  const id = newId();
  await admin.query('INSERT INTO organization (id, name, created_at) VALUES ($1, $2, now())', [id, 'Tenant']);
  return id;
}

export interface IssuedExamRows {
  examId: string;
  /** By the files' names. */
  uploads: Record<string, string>;
}

/** An exam whose URLs were issued at `now`, without the API. */
export async function insertExam(
  admin: Pool,
  database: DatabaseService,
  organizationId: string,
  files: Record<string, Uint8Array>,
  now = new Date(),
): Promise<IssuedExamRows> {
  const examId = newId();
  await admin.query(
    `INSERT INTO exam (id, organization_id, name, patient_name, status, created_by_id, created_at)
     VALUES ($1, $2, 'CT', 'X', 'uploading', $3, $4)`,
    [examId, organizationId, PRINCIPAL.id, now],
  );
  const slots = Object.entries(files).map(([name, { length: size }]) => ({
    id: newId(),
    uploadId: newId(),
    name,
    size,
  }));
  const validity = { issuedAt: now, urlExpiresAt: new Date(now.getTime() + URL_LIFETIME_MS) };
  await database.withOrganization(organizationId, async (tx) => {
    await insertSlots(tx, organizationId, examId, slots);
    await insertIssued(
      tx,
      organizationId,
      validity,
      slots.map(({ id, uploadId, size }) => ({
        id: uploadId,
        surface: 'exams',
        principal: PRINCIPAL,
        slotId: id,
        size,
      })),
    );
  });
  return { examId, uploads: Object.fromEntries(slots.map(({ name, uploadId }) => [name, uploadId])) };
}

/** What the presigned PUT does. */
export async function stage(
  s3: S3Client,
  organizationId: string,
  uploadId: string,
  bytes: Uint8Array,
): Promise<void> {
  await s3.send(
    new PutObjectCommand({ Bucket: 'scandock', Key: stagingKey(organizationId, uploadId), Body: bytes }),
  );
}
