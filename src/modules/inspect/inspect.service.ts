import { Inject, Injectable } from '@nestjs/common';
import { INSPECT_TYPES } from '../../formats/document/document.js';
import type { InspectFile } from '../../generated/prisma/client.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { validationError } from '../../platform/errors/application-error.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { insertIssued } from '../uploads/upload.issue.js';
import { stagingKey } from '../uploads/uploads.keys.js';
import { declaredOtherwise, tooManyAttempts } from './inspect.errors.js';
import { InspectQueries } from './inspect.queries.js';
import { insertFile, lockFile } from './inspect.rows.js';
import type { PresignedFile, PresignFile } from './inspect.schemas.js';

/** A file that did not arrive by this many URLs will not: each is a record for ever. */
const MAX_ATTEMPTS = 50;

/** Declares files of inspections and issues their URLs (seed 003); each attempt is an upload like any other. */
@Injectable()
export class InspectService {
  private readonly types: readonly string[];
  private readonly maxBytes: number;

  constructor(
    @Inject(CONFIG) config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly queries: InspectQueries,
    private readonly storage: StorageService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {
    this.types = config.INSPECT_CONTENT_TYPES ?? Object.keys(INSPECT_TYPES);
    this.maxBytes = config.INSPECT_MAX_BYTES;
  }

  /**
   * A URL for the file's content; none where the caller has that content already, whichever id it stands under.
   * @throws validation_error, not_found, too_many_attempts, idempotency_conflict, idempotency_mismatch
   */
  async presign(caller: Caller, declared: PresignFile, key: string | undefined): Promise<PresignedFile> {
    this.assertAccepted(declared);
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'inspect:presign', key, body: declared };
    const { id, uploadId } = await this.database.withOrganization(organizationId, async (tx) => {
      const earlier = await this.idempotency.earlier(tx, claim);
      const file = earlier ? await this.hold(tx, caller, earlier) : await this.declare(tx, caller, declared);
      if (!earlier) await this.idempotency.remember(tx, claim, file.id);
      const uploadId = file.completedAt ? undefined : await this.issue(tx, caller, file);
      await this.audit.record(
        tx,
        actedBy<'inspect:presign'>(caller, {
          action: 'inspect:presign',
          resource: { type: 'InspectFile', id: file.id },
          detail: {
            size: declared.size,
            issued: uploadId !== undefined,
            replayed: earlier !== undefined,
          },
        }),
      );
      return { id: file.id, uploadId };
    });
    if (!uploadId) return { data: { id } };
    const { url } = await this.storage.presignPut(
      stagingKey(organizationId, uploadId),
      declared.size,
      this.clock.now(),
      declared.contentType,
    );
    return { data: { presignedURL: url, id } };
  }

  private assertAccepted({ contentType, size }: PresignFile): void {
    const problems = [
      ...(this.types.includes(contentType)
        ? []
        : [{ path: 'contentType', message: `must be one of ${this.types.join(', ')}` }]),
      ...(size <= this.maxBytes ? [] : [{ path: 'size', message: `must be at most ${this.maxBytes} bytes` }]),
    ];
    if (problems.length > 0) throw validationError(problems);
  }

  /** The file under the declared id, else one with the same content, else a new one. */
  private async declare(tx: Transaction, caller: Caller, declared: PresignFile): Promise<InspectFile> {
    const { organizationId, kind, id: callerId } = caller.principal;
    const { id = newId(), assetID: assetId = null, name, contentType, size } = declared;
    const sha256 = Buffer.from(declared.hash, 'base64');
    const content = { sha256, size: BigInt(size), contentType };
    if (!declared.id || !(await lockFile(tx, organizationId, id))) {
      const completed = await this.queries.findContent(tx, caller, content);
      if (completed) return completed;
      const createdBy = { kind, id: callerId };
      const file = { id, assetId, name, contentType, size, sha256, createdBy };
      // Whether it was ours to insert or somebody's at the same moment: from here on it is a known one.
      await insertFile(tx, organizationId, file, this.clock.now());
    }
    const known = await this.hold(tx, caller, id);
    const same =
      known.name === name &&
      known.assetId === assetId &&
      known.contentType === contentType &&
      known.size === content.size &&
      sha256.equals(known.sha256);
    if (!same) throw declaredOtherwise();
    return known;
  }

  private async hold(tx: Transaction, caller: Caller, id: string): Promise<InspectFile> {
    await lockFile(tx, caller.principal.organizationId, id);
    return this.queries.findDeclared(tx, caller, id);
  }

  private async issue(tx: Transaction, { principal }: Caller, file: InspectFile): Promise<string> {
    const { id: inspectFileId, organizationId, name, contentType, sha256 } = file;
    const attempts = await tx.upload.count({ where: { organizationId, inspectFileId } });
    if (attempts >= MAX_ATTEMPTS) throw tooManyAttempts();
    const [id, issuedAt] = [newId(), this.clock.now()];
    const urlExpiresAt = new Date(issuedAt.getTime() + URL_LIFETIME_SECONDS * 1000);
    await insertIssued(tx, organizationId, { issuedAt, urlExpiresAt }, [
      {
        id,
        surface: 'inspect',
        principal,
        inspectFileId,
        name,
        contentType,
        size: Number(file.size),
        sha256: Buffer.from(sha256),
      },
    ]);
    return id;
  }
}
