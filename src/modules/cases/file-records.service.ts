import { Injectable } from '@nestjs/common';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { insertIssued } from '../uploads/upload.issue.js';
import { caseClosedToPatient, caseForbidden } from './cases.errors.js';
import { fileWithUpload, insertFile, makeVisible, type UploadingFile } from './patient-file.rows.js';
import type { ReceivedFile } from './upload-body.js';

/** What the database says of a patient's upload, step by step; each step is one transaction of change and event. */
@Injectable()
export class FileRecordsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * The row, which nobody sees yet, and the upload its bytes will be. A repetition with the same Idempotency-Key finds
   * what the first one made, unless that has come to nothing. @throws case_forbidden, case_closed, idempotency_conflict,
   * idempotency_mismatch
   */
  async begin(caller: Caller, file: ReceivedFile, key: string | undefined): Promise<UploadingFile> {
    const { organizationId } = caller.principal;
    const { name, mimeType, caseId, sha256 } = file;
    const body = { name, mimeType, caseId, sha256: sha256.toString('hex') };
    const claim = { caller, operation: 'files:upload', key, body };
    return this.database.withOrganization(organizationId, async (tx) => {
      if (caseId) await assertMayContribute(tx, caller, caseId);
      const earlier = await this.idempotency.earlier(tx, claim);
      if (earlier) {
        const known = await fileWithUpload(tx, organizationId, earlier);
        // It may be hidden by now, and a repetition is no way around that.
        if (known.visibleAt && (known.deletedAt || known.isRestricted)) throw notFound();
        if (!known.deletedAt) return known;
      }
      const id = await this.insert(tx, caller, file);
      await this.idempotency.remember(tx, claim, id);
      return fileWithUpload(tx, organizationId, id);
    });
  }

  /** As it stands now. */
  read(caller: Caller, id: string): Promise<UploadingFile> {
    const { organizationId } = caller.principal;
    return this.database.withOrganizationSql(organizationId, (tx) => fileWithUpload(tx, organizationId, id));
  }

  /**
   * Shows the file; one that was given up meanwhile stays hidden. Returns the row as it is then.
   * @throws case_closed when it was closed while the bytes were on their way
   */
  async show(caller: Caller, { id, caseId }: UploadingFile, size: number): Promise<UploadingFile> {
    const { organizationId } = caller.principal;
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      if (caseId) await assertOpen(tx, organizationId, caseId);
      const shown = await makeVisible(tx, organizationId, id, this.clock.now());
      const file = await fileWithUpload(tx, organizationId, id);
      if (file.visibleAt)
        await this.audit.record(
          tx,
          actedBy<'files:upload'>(caller, {
            action: 'files:upload',
            resource: { type: 'PatientFile', id },
            patientRef: caller.principal.id,
            detail: { case: caseId, size, replayed: !shown },
          }),
        );
      return file;
    });
  }

  private async insert(tx: Transaction, caller: Caller, file: ReceivedFile): Promise<string> {
    const { organizationId, kind, id: patientId } = caller.principal;
    const { name, mimeType: contentType, caseId, size, sha256 } = file;
    const [id, uploadId, issuedAt] = [newId(), newId(), this.clock.now()];
    const urlExpiresAt = new Date(issuedAt.getTime() + URL_LIFETIME_SECONDS * 1000);
    await insertIssued(tx, organizationId, { issuedAt, urlExpiresAt }, [
      { id: uploadId, surface: 'files', principal: { kind, id: patientId }, contentType, size, sha256 },
    ]);
    const row = { id, patientId, caseId, uploadId, name, contentType, size };
    await insertFile(tx, organizationId, row, issuedAt);
    await this.audit.record(
      tx,
      actedBy<'uploads:issue'>(caller, {
        action: 'uploads:issue',
        resource: { type: 'Upload', id: uploadId },
        patientRef: patientId,
        detail: { order: null },
      }),
    );
    return id;
  }
}

/** @throws case_forbidden, case_closed */
async function assertMayContribute(tx: Transaction, caller: Caller, id: string): Promise<void> {
  await findCase(tx, caller, id);
  await assertOpen(tx, caller.principal.organizationId, id);
}

/** Whoever closes the case waits until this transaction ends. @throws case_closed */
async function assertOpen(tx: SqlTransaction, organizationId: string, caseId: string): Promise<void> {
  const [row] = await tx.$queryRaw<{ open: boolean }[]>`
    SELECT closed_at IS NULL AS open FROM patient_case
    WHERE organization_id = ${organizationId}::uuid AND id = ${caseId}::uuid FOR SHARE`;
  if (!row?.open) throw caseClosedToPatient();
}

/** The patient's own case. @throws case_forbidden */
export async function findCase(tx: Transaction, caller: Caller, id: string): Promise<void> {
  const { organizationId } = caller.principal;
  const found = await tx.patientCase.findFirst({
    where: {
      AND: [accessibleBy(caller, 'cases:contribute').ofType('PatientCase'), { organizationId, id }],
    },
    select: { id: true },
  });
  if (!found) throw caseForbidden();
}
