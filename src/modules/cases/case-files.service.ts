import { Injectable } from '@nestjs/common';
import type { PatientFile, Prisma } from '../../generated/prisma/client.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { scopeNeeded } from '../access/access.errors.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { InspectQueries } from '../inspect/inspect.queries.js';
import { caseClosed } from './cases.errors.js';
import type {
  Attach,
  CaseFile,
  CaseFileDownload,
  CaseFilePage,
  Classify,
  ListDocuments,
  Page,
} from './cases.schemas.js';
import { CasesService } from './cases.service.js';
import { visibleTo } from './visible-files.js';

/** Attachments on cases, and patients' documents, as staff sees them: restricted ones too. */
@Injectable()
export class CaseFilesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly cases: CasesService,
    private readonly inspect: InspectQueries,
    private readonly storage: StorageService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. @throws not_found (the case) */
  attachments(caller: Caller, caseId: string, page: Page): Promise<CaseFilePage> {
    const { organizationId } = caller.principal;
    return this.database.readOrganization(organizationId, async (tx) => {
      const { patientId } = await this.cases.find(tx, caller, 'cases:read', caseId);
      caller.request.about = { resource: { type: 'PatientCase', id: caseId }, patientRef: patientId };
      return listFiles(tx, [visibleTo(caller, 'attachments:list'), { caseId }], page);
    });
  }

  /** Files on no case, newest first. */
  documents(caller: Caller, { patient_id, ...page }: ListDocuments): Promise<CaseFilePage> {
    const { organizationId } = caller.principal;
    const where = { caseId: null, ...(patient_id && { patientId: patient_id }) };
    return this.database.withOrganization(organizationId, (tx) =>
      listFiles(tx, [visibleTo(caller, 'documents:list'), where], page),
    );
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<CaseFile> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const file = await find(tx, caller, 'case-files:read', id);
      caller.request.about = { resource: { type: 'PatientFile', id }, patientRef: file.patientId };
      return toCaseFile(file);
    });
  }

  /** A URL for the bytes, good for 900 s. @throws not_found */
  async download(caller: Caller, id: string): Promise<CaseFileDownload> {
    const { organizationId } = caller.principal;
    const key = await this.database.withOrganization(organizationId, async (tx) => {
      const { patientId, uploadId } = await find(tx, caller, 'case-files:download', id);
      const upload = await tx.upload.findFirst({
        where: { organizationId, id: uploadId, state: 'registered' },
        select: { storedObject: { select: { key: true } } },
      });
      if (!upload?.storedObject) throw notFound();
      await this.audit.record(
        tx,
        actedBy(caller, {
          action: 'case-files:download',
          resource: { type: 'PatientFile', id },
          patientRef: patientId,
        }),
      );
      return upload.storedObject.key;
    });
    const { url, expiresAt } = await this.storage.presignGet(key, id, this.clock.now());
    return { download_url: url, expires_at: expiresAt.toISOString() };
  }

  /**
   * Hangs a completed inspect file on an open case. Who hands a file on has to be allowed to read it, and to see the case.
   * @throws insufficient_scope, not_found (the case, or the file), case_closed,
   * idempotency_conflict, idempotency_mismatch
   */
  attach(caller: Caller, caseId: string, input: Attach, key: string | undefined): Promise<CaseFile> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'attachments:create', key, body: { caseId, ...input } };
    return this.database.withOrganization(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, caller, caseId, input),
      );
      const file = await find(tx, caller, 'attachments:create', id);
      await this.audit.record(
        tx,
        actedBy<'attachments:create'>(caller, {
          action: 'attachments:create',
          resource: { type: 'PatientFile', id },
          patientRef: file.patientId,
          detail: { case: caseId, inspect_file: input.file_id, replayed },
        }),
      );
      return toCaseFile(file);
    });
  }

  /** Says whether it is health information, and whether its patient may see it. @throws not_found */
  classify(caller: Caller, id: string, { is_phi, is_restricted }: Classify): Promise<CaseFile> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const { count } = await tx.patientFile.updateMany({
        where: { AND: [visibleTo(caller, 'case-files:classify'), { id }] },
        data: {
          ...(is_phi !== undefined && { isPhi: is_phi }),
          ...(is_restricted !== undefined && { isRestricted: is_restricted }),
        },
      });
      if (count === 0) throw notFound();
      const file = await find(tx, caller, 'case-files:classify', id);
      await this.audit.record(
        tx,
        actedBy<'case-files:classify'>(caller, {
          action: 'case-files:classify',
          resource: { type: 'PatientFile', id },
          patientRef: file.patientId,
          detail: { phi: file.isPhi, restricted: file.isRestricted },
        }),
      );
      return toCaseFile(file);
    });
  }

  private async insert(tx: Transaction, caller: Caller, caseId: string, input: Attach): Promise<string> {
    const { organizationId, kind: uploadedByKind, id: uploadedById } = caller.principal;
    if (!caller.scopes.includes('cases:read')) throw scopeNeeded('cases:read');
    const { patientId, closedAt } = await this.cases.hold(tx, caller, 'cases:read', caseId);
    if (closedAt) throw caseClosed();
    const file = await this.inspect.completedFile(tx, caller, input.file_id);
    const [id, now] = [newId(), this.clock.now()];
    await tx.patientFile.create({
      data: {
        id,
        organizationId,
        patientId,
        caseId,
        uploadId: file.uploadId,
        name: input.name ?? file.name,
        contentType: file.contentType,
        size: file.size,
        isPhi: input.is_phi,
        isRestricted: input.is_restricted,
        uploadedByKind,
        uploadedById,
        createdAt: now,
        visibleAt: now,
      },
    });
    return id;
  }
}

async function find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<PatientFile> {
  const file = await tx.patientFile.findFirst({ where: { AND: [visibleTo(caller, operation), { id }] } });
  if (!file) throw notFound();
  return file;
}

async function listFiles(
  tx: Transaction,
  where: Prisma.PatientFileWhereInput[],
  { limit, cursor }: Page,
): Promise<CaseFilePage> {
  const rows = await tx.patientFile.findMany({
    where: { AND: [...where, ...(cursor ? olderThan(cursor) : [])] },
    ...newestFirst(limit),
  });
  return toPage(rows, limit, toCaseFile);
}

const toCaseFile = (file: PatientFile): CaseFile => ({
  id: file.id,
  case_id: file.caseId,
  patient_id: file.patientId,
  name: file.name,
  content_type: file.contentType,
  size: Number(file.size),
  is_phi: file.isPhi,
  is_restricted: file.isRestricted,
  upload_id: file.uploadId,
  uploaded_by: { kind: file.uploadedByKind as CaseFile['uploaded_by']['kind'], id: file.uploadedById },
  created_at: file.createdAt.toISOString(),
});
