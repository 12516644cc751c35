import { Injectable } from '@nestjs/common';
import type { InspectFile, Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { scopeNeeded } from '../access/access.errors.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { notCompleted } from './inspect.errors.js';
import type { FileDownload, InspectFileView } from './inspect.schemas.js';

/** Verified bytes of a file, for whoever refers to them. */
export interface CompletedFile {
  /** Whose stored object they are. */
  uploadId: string;
  name: string;
  contentType: string;
  /** Bytes. */
  size: number;
}

/** Its bytes are still to come, or there; where they were deleted, so is the file. */
const LIVING = {
  OR: [{ uploadId: null }, { upload: { state: 'registered' } }],
} satisfies Prisma.InspectFileWhereInput;

/** What another declaration of the same content resolves to. */
type Content = Pick<InspectFile, 'sha256' | 'size' | 'contentType'>;

type Found = Promise<InspectFile | null>;

/** Inspect files as their callers see them. */
@Injectable()
export class InspectQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found */
  async read(caller: Caller, id: string): Promise<InspectFileView> {
    const file = await this.database.withOrganization(caller.principal.organizationId, (tx) =>
      this.find(tx, caller, 'inspect:read', id),
    );
    return toView(file);
  }

  /** A URL for the verified bytes, good for 900 s. @throws not_found, not_completed */
  async download(caller: Caller, id: string): Promise<FileDownload> {
    const { organizationId } = caller.principal;
    const key = await this.database.withOrganization(organizationId, async (tx) => {
      const { uploadId } = await this.find(tx, caller, 'inspect:download', id);
      if (!uploadId) throw notCompleted();
      const object = await tx.storedObject.findFirst({
        where: { organizationId, purgingAt: null, uploads: { some: { organizationId, id: uploadId } } },
        select: { key: true },
      });
      if (!object) throw notFound();
      await this.audit.record(
        tx,
        actedBy<'inspect:download'>(caller, {
          action: 'inspect:download',
          resource: { type: 'InspectFile', id },
        }),
      );
      return object.key;
    });
    // The id as file name: the declared one may be a patient's, and URLs end up in logs.
    const { url, expiresAt } = await this.storage.presignGet(key, id, this.clock.now());
    return { data: { presignedURL: url, id, expiresAt: expiresAt.toISOString() } };
  }

  /**
   * For what refers to a file and so hands it on: one the caller may read, by role and by scope, complete.
   * @throws insufficient_scope, not_found, also of a pending one
   */
  async completedFile(tx: Transaction, caller: Caller, id: string): Promise<CompletedFile> {
    if (!caller.scopes.includes('files:read')) throw scopeNeeded('files:read');
    const { uploadId, name, contentType, size } = await this.find(tx, caller, 'inspect:read', id);
    if (!uploadId) throw notFound();
    return { uploadId, name, contentType, size: Number(size) };
  }

  /** One the caller may use for `operation`, pending or complete. @throws not_found */
  async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<InspectFile> {
    const file = await this.findWhere(tx, caller, { id }, operation);
    if (!file) throw notFound();
    return file;
  }

  /** One the caller may declare, or has by reading it: complete, and readable. @throws not_found */
  async findDeclared(tx: Transaction, caller: Caller, id: string): Promise<InspectFile> {
    const file =
      (await this.findWhere(tx, caller, { id }, 'inspect:presign')) ??
      (await this.findReadable(tx, caller, { id }));
    if (!file) throw notFound();
    return file;
  }

  /**
   * The oldest file with that content which the caller may read. The hash is compared as bytes, without decode(): what
   * is not leakproof may not run before row-level security, and would cost the index.
   */
  findContent(tx: Transaction, caller: Caller, { sha256, size, contentType }: Content): Found {
    return this.findReadable(tx, caller, { sha256, size, contentType });
  }

  /** By role and by scope: a credential for writing alone learns of no file. */
  private async findReadable(tx: Transaction, caller: Caller, where: Prisma.InspectFileWhereInput): Found {
    if (!caller.scopes.includes('files:read')) return null;
    return this.findWhere(tx, caller, { ...where, completedAt: { not: null } }, 'inspect:read');
  }

  private async findWhere(
    tx: Transaction,
    caller: Caller,
    where: Prisma.InspectFileWhereInput,
    operation: string,
  ): Found {
    const { organizationId } = caller.principal;
    const accessible = accessibleBy(caller, operation).ofType('InspectFile');
    return tx.inspectFile.findFirst({
      where: { AND: [accessible, { organizationId }, LIVING, where] },
      orderBy: [{ completedAt: 'asc' }, { id: 'asc' }],
    });
  }
}

function toView({ id, assetId, name, contentType, sha256, size, createdAt, completedAt }: InspectFile) {
  return {
    data: {
      id,
      ...(assetId !== null && { assetID: assetId }),
      name,
      contentType,
      hash: Buffer.from(sha256).toString('base64'),
      size: Number(size),
      status: completedAt ? ('completed' as const) : ('pending' as const),
      createdAt: createdAt.toISOString(),
      ...(completedAt && { completedAt: completedAt.toISOString() }),
    },
  };
}
