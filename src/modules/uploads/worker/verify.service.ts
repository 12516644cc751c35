import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { GroupCommit } from '../../../platform/database/group-commit.js';
import { isTransient } from '../../../platform/errors/translate-error.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { type Claim, countFailure, recordCopies, uncountFailure } from '../upload.ledger.js';
import type { VerifyUploadPayload } from '../uploads.jobs.js';
import { stagingKey } from '../uploads.keys.js';
import { rejection } from '../uploads.rules.js';
import { ContentReader } from './content.reader.js';
import { SettlementService } from './settlement.service.js';

/** Unexpected failures after which an upload is set aside instead of being tried for ever. */
const MAX_FAILURES = 5;

/**
 * Tries without a verdict after which each counts as a failure before it begins, and is uncounted when it ends, however
 * it ends: what is left are those whose worker died of them, out of memory for one. Outages alone park nothing.
 */
const MAX_UNSETTLED_TRIES = 15;

class ObjectMissing extends Error {
  constructor() {
    super('the landed object is not in the bucket');
    this.name = 'ObjectMissing';
  }
}

/**
 * Verifies one landed upload. A presigned PUT can be replayed until it expires, so the object is first copied to a key
 * that nobody else can write, the copy is verified, and only the copy is ever read again.
 *
 * Guarantees: running it twice, at once or after a crash between any two of its steps, ends in the same state. The key
 * of a copy is recorded before the copy is made; the guarded update of the ledger decides whose copy wins.
 */
@Injectable()
export class VerifyService {
  private readonly logger = new Logger(VerifyService.name);

  private readonly claims = new GroupCommit<string, Claim | undefined>((organizationId, uploadIds) =>
    this.database.withOrganizationSql(organizationId, async (tx) => {
      const claims = await recordCopies(tx, organizationId, uploadIds, this.clock.now());
      const byUpload = new Map(claims.map((claim) => [claim.uploadId, claim]));
      return uploadIds.map((id) => byUpload.get(id));
    }),
  );

  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly reader: ContentReader,
    private readonly settlement: SettlementService,
    private readonly clock: Clock,
  ) {}

  async verify(payload: VerifyUploadPayload): Promise<void> {
    const { organizationId, uploadId } = payload;
    const claim = await this.claims.add(organizationId, uploadId);
    if (!claim) return; // settled already
    if (claim.attempt <= MAX_UNSETTLED_TRIES) return this.attempt(payload, claim);
    if (!(await this.suspect(organizationId, uploadId))) return; // parked
    try {
      await this.attempt(payload, claim);
    } catch (error) {
      // Where the database is away as well it stays counted, and the error is the one to tell.
      await this.database
        .withOrganization(organizationId, (tx) => uncountFailure(tx, organizationId, uploadId))
        .catch(() => undefined);
      throw error;
    }
  }

  /** Whether to go on. One more than real failures may be: the last of those has to be told from a death. */
  private async suspect(organizationId: string, uploadId: string): Promise<boolean> {
    const failure = { reason: 'WorkerDied', parkAt: MAX_FAILURES + 1, now: this.clock.now() };
    const counted = await this.database.withOrganization(organizationId, (tx) =>
      countFailure(tx, organizationId, uploadId, failure),
    );
    if (counted && counted.failures <= MAX_FAILURES) return true;
    if (counted) this.logger.warn({ uploadId, parked: failure.reason });
    return false;
  }

  private async attempt(
    { organizationId, uploadId, requestId, traceId }: VerifyUploadPayload,
    claim: Claim,
  ): Promise<void> {
    const copied = await this.storage.copy(stagingKey(organizationId, uploadId), claim.key);
    const outcome = copied ? await this.reader.read(organizationId, claim) : undefined;
    if (!outcome) throw new ObjectMissing();
    await this.settlement.settle(organizationId, {
      uploadId,
      copy: claim,
      origin: { ...(requestId && { requestId }), ...(traceId && { traceId }) },
      outcome,
    });
  }

  /**
   * Counts a failure that is not the fault of a part being away. At the limit the upload is rejected when its object is
   * gone, else parked with the reason's name, for a person to look at.
   */
  async giveUp({ organizationId, uploadId }: VerifyUploadPayload, error: unknown): Promise<void> {
    if (isTransient(error)) return;
    const missing = error instanceof ObjectMissing;
    // Never parked when it is about to be rejected: after a crash between the two, nobody would come back to it.
    const parkAt = missing ? null : MAX_FAILURES;
    const failure = { reason: (error as Error).name, parkAt, now: this.clock.now() };
    const counted = await this.database.withOrganization(organizationId, (tx) =>
      countFailure(tx, organizationId, uploadId, failure),
    );
    if (!missing || !counted || counted.failures < MAX_FAILURES) return;
    await this.storage.ping(); // the bucket is there, so it is the object that is not
    if ((await this.storage.head(stagingKey(organizationId, uploadId))) === undefined)
      await this.settlement.settle(organizationId, {
        uploadId,
        origin: {},
        outcome: { rejection: rejection('object.missing') },
      });
  }
}
