import { Injectable } from '@nestjs/common';
import type { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { ApplicationError, notFound } from '../../platform/errors/application-error.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { scopeNeeded } from '../access/access.errors.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { OverlaysService } from '../metadata/overlays.service.js';
import { LandingService, witnessOf } from './landing.service.js';
import { uploadParts, type UploadRow, viewUpload, type Whereabouts } from './upload.views.js';
import type { Download, UploadView } from './uploads.schemas.js';

/** States in which an object may still be noticed. */
const LANDABLE = ['issued', 'expired'];

/** Surfaces whose objects are downloaded as uploads. */
const IMAGING = ['exams', 'ingestion'];

/** Single uploads as their callers see them. */
@Injectable()
export class UploadQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly landing: LandingService,
    private readonly overlays: OverlaysService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<UploadView> {
    return this.database.readOrganization(caller.principal.organizationId, async (tx) => {
      const upload = await this.find(tx, caller, 'uploads:read', id);
      if (upload.studyId) caller.request.about = { studyRef: upload.studyId };
      return this.view(tx, caller, upload);
    });
  }

  /** Looks for the object now instead of when it would be noticed. The same answer each time. @throws not_found, not_landed */
  async complete(caller: Caller, id: string): Promise<UploadView> {
    const { organizationId } = caller.principal;
    const { state } = await this.database.withOrganization(organizationId, (tx) =>
      this.find(tx, caller, 'uploads:complete', id),
    );
    const facts = LANDABLE.includes(state) ? await this.landing.look(organizationId, [id]) : [];
    const { view, landed } = await this.database.withOrganization(organizationId, async (tx) => {
      const landed = await this.landing.landWithin(tx, witnessOf(caller), facts);
      const upload = await this.find(tx, caller, 'uploads:complete', id);
      if (LANDABLE.includes(upload.state)) throw notLanded();
      await this.audit.record(
        tx,
        actedBy<'uploads:complete'>(caller, {
          action: 'uploads:complete',
          resource: { type: 'Upload', id },
          detail: { state: upload.state },
        }),
      );
      return { landed, view: await this.view(tx, caller, upload) };
    });
    await this.landing.queueVerification(witnessOf(caller), landed);
    return view;
  }

  /**
   * A URL for the verified bytes, good for 900 s. Where metadata says who the patient is, the bytes may name another:
   * then it takes a scope of its own. @throws not_found, insufficient_scope
   */
  async download(caller: Caller, id: string): Promise<Download> {
    const { organizationId } = caller.principal;
    const key = await this.database.withOrganization(organizationId, async (tx) => {
      const upload = await this.find(tx, caller, 'uploads:download', id);
      if (!IMAGING.includes(upload.surface)) throw notFound(); // reports and clinical files have ways of their own
      if (!upload.storedObjectId || upload.state !== 'registered') throw notFound();
      const object = await tx.storedObject.findFirst({
        where: { organizationId, id: upload.storedObjectId, purgingAt: null },
      });
      if (!object) throw notFound();
      const studyId = upload.studyId ?? (await studyOfArchive(tx, upload))?.id;
      if (studyId) caller.request.about = { studyRef: studyId };
      const orderIds = await ordersAbout(tx, upload, studyId);
      const disguised = await this.overlays.nameThePatient(tx, organizationId, orderIds);
      if (disguised && !caller.scopes.includes('originals:read')) throw scopeNeeded('originals:read');
      await this.audit.record(
        tx,
        actedBy<'uploads:download'>(caller, {
          action: 'uploads:download',
          resource: { type: 'Upload', id },
          ...(studyId && { studyRef: studyId }),
        }),
      );
      return object.key;
    });
    const { url, expiresAt } = await this.storage.presignGet(key, id, this.clock.now());
    return { download_url: url, expires_at: expiresAt.toISOString() };
  }

  private async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<UploadRow> {
    const { organizationId } = caller.principal;
    const upload = await tx.upload.findFirst({
      where: { AND: [visible(caller, operation), { id, organizationId }] },
      include: uploadParts,
    });
    if (!upload) throw notFound();
    return upload;
  }

  private async view(tx: Transaction, caller: Caller, upload: UploadRow): Promise<UploadView> {
    const { organizationId, id, storedObjectId } = upload;
    const whereabouts: Whereabouts = {};
    if (upload.state === 'registered' && storedObjectId) {
      const instance = await tx.instance.findFirst({
        where: { organizationId, storedObjectId },
        include: { series: { select: { seriesInstanceUid: true } } },
      });
      if (instance)
        whereabouts.instance = {
          sopInstanceUid: instance.sopInstanceUid,
          seriesInstanceUid: instance.series.seriesInstanceUid,
        };
      const first = await tx.upload.findFirst({
        where: {
          AND: [
            visible(caller, 'uploads:read'), // whose else they are, a caller does not learn
            { organizationId, storedObjectId, state: 'registered' },
          ],
        },
        orderBy: [{ registeredAt: 'asc' }, { id: 'asc' }],
        select: { id: true },
      });
      if (upload.duplicate && first && first.id !== id) whereabouts.duplicateOf = first.id;
      const study = upload.contents && (await studyOfArchive(tx, upload));
      if (study) whereabouts.studyInstanceUid = study.studyInstanceUid;
    }
    return viewUpload(upload, whereabouts);
  }
}

/** A patient's file is staff's to see who sees it on its case, or among the documents. */
const visible = (caller: Caller, operation: string): Prisma.UploadWhereInput => ({
  AND: [
    accessibleBy(caller, operation).ofType('Upload'),
    {
      OR: [
        { surface: { not: 'files' } },
        { files: { some: accessibleBy(caller, 'case-files:read').ofType('PatientFile') } },
      ],
    },
  ],
});

/** It holds one study at most: any entry tells which. */
async function studyOfArchive(tx: Transaction, { organizationId, id }: UploadRow) {
  const entry = await tx.upload.findFirst({
    where: { organizationId, parentId: id, studyId: { not: null } },
    select: { study: { select: { id: true, studyInstanceUid: true } } },
  });
  return entry?.study;
}

/** The order an upload came for, and all of its study: what any of them says of the patient is said of these bytes. */
async function ordersAbout(
  tx: Transaction,
  upload: UploadRow,
  studyId: string | undefined,
): Promise<string[]> {
  const { organizationId, orderId } = upload;
  const links = studyId ? await tx.orderStudy.findMany({ where: { organizationId, studyId } }) : [];
  return [...(orderId ? [orderId] : []), ...links.map((link) => link.orderId)];
}

const notLanded = (): ApplicationError =>
  new ApplicationError('not_landed', 409, 'Nothing has been PUT to the URL of this upload yet.');
