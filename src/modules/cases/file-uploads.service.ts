import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { ApplicationError } from '../../platform/errors/application-error.js';
import type { WaitingBody } from '../../platform/http/raw-body.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { LandingService, witnessOf } from '../uploads/landing.service.js';
import { StagingWriter } from '../uploads/staging.writer.js';
import { stagingKey } from '../uploads/uploads.keys.js';
import { Admission } from './admission.js';
import { uploadFailed } from './cases.errors.js';
import { discardFile } from './cases.jobs.js';
import { FileRecordsService } from './file-records.service.js';
import type { UploadingFile } from './patient-file.rows.js';
import type { UploadedFile } from './patient-files.schemas.js';
import { ContentInspector } from './upload-body.content.js';
import { assertMayFit, readUploadBody, type ReceivedFile } from './upload-body.js';

/** How long an upload waits for the worker, in milliseconds. */
const WAIT_MS = 25_000;
/** How long it waits before it looks again, at first and at most: a hundred who wait must not keep the database busy. */
const FIRST_LOOK_MS = 50;
const LAST_LOOK_MS = 400;

/** States of an upload whose object the ledger has not seen. */
const UNSEEN = ['issued', 'expired'];
/** States of one whose bytes are on their way to being kept. */
const UNDER_WAY = [...UNSEEN, 'landed', 'verified'];

/**
 * A patient's upload (seed 004), in base64 through our memory: the row, which nobody sees; the bytes, into the bucket and
 * through the worker like any other upload's; then the row becomes visible, and only then the caller is told so. Whatever
 * goes wrong in between, a crash included, ends in a soft-deleted row: by the worker's job, or by the reconciler.
 */
@Injectable()
export class FileUploadsService {
  private readonly waitMs: number = WAIT_MS;
  private readonly inspector = new ContentInspector();

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly admission: Admission,
    private readonly records: FileRecordsService,
    private readonly staging: StagingWriter,
    private readonly landing: LandingService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /**
   * @throws validation_error, payload_too_large, case_forbidden, case_closed, upload_failed, unavailable,
   * idempotency_conflict, idempotency_mismatch
   */
  async upload(caller: Caller, body: WaitingBody, key: string | undefined): Promise<UploadedFile> {
    const limit = this.config.FILES_MAX_BYTES;
    assertMayFit(body, limit);
    // The bytes are held until the bucket has them; waiting for the worker takes no memory.
    const { file, size } = await this.admission.run(
      caller.principal.id,
      async () => {
        const received = await readUploadBody(body, limit, () => this.admission.crowded);
        await this.inspector.assertContent(received);
        await caller.confirm?.();
        const file = await this.records.begin(caller, received, key);
        await this.orGiveUp(caller, file, () => this.advance(caller, file, received));
        return { file, size: received.size };
      },
      body.pieces,
    );
    return toUploaded(await this.orGiveUp(caller, file, () => this.untilVisible(caller, file, size)));
  }

  /** A repetition goes on where the first one was broken off. */
  private async advance(
    caller: Caller,
    { uploadId, uploadState, visibleAt }: UploadingFile,
    { blocks }: ReceivedFile,
  ): Promise<void> {
    const { organizationId } = caller.principal;
    if (uploadState === 'landed') return this.landing.queueVerification(witnessOf(caller), [uploadId]);
    if (visibleAt || !UNSEEN.includes(uploadState)) return;
    await this.staging.put(stagingKey(organizationId, uploadId), blocks, this.clock.now());
    await this.landing.land(witnessOf(caller), await this.landing.look(organizationId, [uploadId]));
  }

  private async untilVisible(caller: Caller, { id }: UploadingFile, size: number): Promise<UploadingFile> {
    const begun = performance.now();
    let file = await this.records.read(caller, id);
    for (let pause = FIRST_LOOK_MS; UNDER_WAY.includes(file.uploadState); pause *= 1.5) {
      if (performance.now() - begun > this.waitMs)
        throw new Error('the worker did not verify the upload in time');
      await setTimeout(Math.min(pause, LAST_LOOK_MS));
      file = await this.records.read(caller, id);
    }
    await caller.confirm?.();
    // Where the connection broke at the commit nobody knows whether it was made: the second try waits for the first's lock.
    const show = () => this.records.show(caller, file, size);
    file = await show().catch(show);
    if (!file.visibleAt) throw new Error(`the upload is ${file.uploadState} (${file.rule ?? 'given up'})`);
    return file;
  }

  /** A failure is told as the seed has it, and the worker soft-deletes the row. @throws upload_failed, invalid_token, case_closed */
  private async orGiveUp<T>(caller: Caller, { id }: UploadingFile, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      await this.enqueuer.enqueue(discardFile, [
        { organizationId: caller.principal.organizationId, fileId: id },
      ]);
      // Who may not any more is told that, and not that the bucket failed.
      throw cause instanceof ApplicationError && cause.status < 500 ? cause : uploadFailed(cause);
    }
  }
}

const toUploaded = ({ id, name, isPhi, isRestricted, caseId, createdAt }: UploadingFile): UploadedFile => ({
  id,
  fileName: name,
  isPHI: isPhi,
  isRestricted,
  caseId,
  createdAt: createdAt.toISOString(),
});
