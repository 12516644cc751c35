import { Injectable } from '@nestjs/common';
import type { Prisma } from '../../generated/prisma/client.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, pageOf } from '../../platform/http/cursor.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { deleteUploads } from '../uploads/upload.ledger.js';
import { findCase } from './file-records.service.js';
import type { FileDownload, FilePage, ListFiles, PortalFile } from './patient-files.schemas.js';
import { visibleTo } from './visible-files.js';

const withUploader = {
  patient: { select: { id: true, firstName: true, lastName: true } },
  organization: { select: { name: true } },
} as const satisfies Prisma.PatientFileInclude;
type FileRow = Prisma.PatientFileGetPayload<{ include: typeof withUploader }>;

/**
 * A patient's files as the patient sees them. What is absent, deleted, restricted, another's or another organization's is
 * the same 404, found out by one query each.
 */
@Injectable()
export class PatientFilesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Attachments on the patient's cases, newest first; documents are not listed (seed 004). @throws case_forbidden */
  list(caller: Caller, { caseId, type, limit, cursor }: ListFiles): Promise<FilePage> {
    const { organizationId, id: patientId } = caller.principal;
    caller.request.about = { patientRef: patientId };
    const where: Prisma.PatientFileWhereInput[] = [
      visibleTo(caller, 'files:list'),
      { patientId, caseId: caseId ?? { not: null }, ...(type && { isPhi: type === 'phi' }) },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.readOrganization(organizationId, async (tx) => {
      if (caseId) {
        await findCase(tx, caller, caseId);
        caller.request.about = { resource: { type: 'PatientCase', id: caseId }, patientRef: patientId };
      }
      const rows = await tx.patientFile.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        include: withUploader,
      });
      const { page, next } = pageOf(rows, limit);
      return { files: page.map(toPortalFile), ...(next && { nextCursor: next }) };
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<PortalFile> {
    caller.request.about = { patientRef: caller.principal.id };
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toPortalFile(await find(tx, caller, 'files:read', id)),
    );
  }

  /** Its name as it is shown; the bytes stay as and where they are. @throws not_found */
  rename(caller: Caller, id: string, name: string): Promise<PortalFile> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const { count } = await tx.patientFile.updateMany({
        where: { AND: [visibleTo(caller, 'files:rename'), { id }] },
        data: { name },
      });
      if (count === 0) throw notFound();
      await this.record(tx, caller, 'files:rename', id);
      return toPortalFile(await find(tx, caller, 'files:rename', id));
    });
  }

  /** A URL for the bytes, good for 900 s; always a download, whatever the file is. @throws not_found */
  async download(caller: Caller, id: string): Promise<FileDownload> {
    const { name, key } = await this.database.withOrganization(
      caller.principal.organizationId,
      async (tx) => {
        const file = await tx.patientFile.findFirst({
          where: { AND: [visibleTo(caller, 'files:download'), { id, upload: { state: 'registered' } }] },
          select: { name: true, upload: { select: { storedObject: { select: { key: true } } } } },
        });
        if (!file?.upload.storedObject) throw notFound();
        await this.record(tx, caller, 'files:download', id);
        return { name: file.name, key: file.upload.storedObject.key };
      },
    );
    const { url } = await this.storage.presignGet(key, id, this.clock.now());
    return { downloadUrl: url, fileName: name, expiresIn: URL_LIFETIME_SECONDS };
  }

  /** Soft: the row stays, the bytes go when their recovery time is over. @throws not_found */
  async remove(caller: Caller, id: string): Promise<void> {
    const { organizationId, id: deletedById } = caller.principal;
    await this.database.withOrganization(organizationId, async (tx) => {
      const now = this.clock.now();
      const deleted = await tx.patientFile.updateManyAndReturn({
        where: { AND: [visibleTo(caller, 'files:delete'), { id }] },
        data: { deletedAt: now, deletedById, deletedReason: 'deleted by the patient' },
        select: { uploadId: true },
      });
      if (deleted.length === 0) throw notFound();
      const uploadIds = deleted.map(({ uploadId }) => uploadId);
      await deleteUploads(tx, organizationId, uploadIds, 'file deleted', now);
      await this.record(tx, caller, 'files:delete', id);
    });
  }

  private record(tx: Transaction, caller: Caller, action: string, id: string): Promise<void> {
    const about = { resource: { type: 'PatientFile', id }, patientRef: caller.principal.id };
    return this.audit.record(tx, actedBy(caller, { action, ...about }));
  }
}

async function find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<FileRow> {
  const file = await tx.patientFile.findFirst({
    where: { AND: [visibleTo(caller, operation), { id }] },
    include: withUploader,
  });
  if (!file) throw notFound();
  return file;
}

/** Staff goes by the organization's name: which machine or whose hand it was is not the patient's business. */
function toPortalFile(file: FileRow): PortalFile {
  const { patient, organization } = file;
  const uploader =
    file.uploadedById === patient.id ? patient : { firstName: organization.name, lastName: '' };
  return {
    id: file.id,
    fileName: file.name,
    isPHI: file.isPhi,
    isRestricted: file.isRestricted,
    caseId: file.caseId,
    uploadedBy: { id: file.uploadedById, firstName: uploader.firstName, lastName: uploader.lastName },
    createdAt: file.createdAt.toISOString(),
  };
}
