import { Readable } from 'node:stream';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { Admission } from '../../src/modules/cases/admission.js';
import { discardFile, type DiscardFilePayload } from '../../src/modules/cases/cases.jobs.js';
import { FileRecordsService } from '../../src/modules/cases/file-records.service.js';
import { FileUploadsService } from '../../src/modules/cases/file-uploads.service.js';
import type { UploadedFile } from '../../src/modules/cases/patient-files.schemas.js';
import { DiscardService } from '../../src/modules/cases/worker/discard.service.js';
import { UnfinishedFiles } from '../../src/modules/cases/worker/unfinished-files.js';
import { StagingWriter } from '../../src/modules/uploads/staging.writer.js';
import type { Caller } from '../../src/platform/authorization/principal.js';
import type { Clock } from '../../src/platform/clock/clock.js';
import { IdempotencyService } from '../../src/platform/http/idempotency.js';
import type { JobDefinition } from '../../src/platform/queue/job.js';
import { type Fault, Incarnation, type Outside } from '../support/incarnation.js';

/** One life of a worker that also discards files whose upload failed. */
export class FileWorker extends Incarnation {
  readonly discarding: DiscardFilePayload[] = [];
  private readonly discards: DiscardService;

  constructor(outside: Outside, clock: Clock, fault?: Fault) {
    super(outside, clock, fault);
    this.discards = new DiscardService(this.database, new AuditService(this.database, clock), clock);
    this.chores.push(new UnfinishedFiles(this.database, this.discards, clock));
  }

  /** Works off the jobs, as the queue does: one that fails comes again. */
  async discardQueued(attempts = 4): Promise<void> {
    for (const payload of this.discarding.splice(0))
      for (let attempt = 1; attempt <= attempts && !this.died; attempt++)
        if (
          await this.discards.discard(payload).then(
            () => true,
            () => false,
          )
        )
          break;
  }
}

/**
 * One life of an API process, as far as it takes uploads. What it queues for verification the worker, which lives on,
 * does at once: so the number of its steps is always the same.
 */
export class FileApi extends Incarnation {
  private readonly uploads: FileUploadsService;

  constructor(
    outside: Outside,
    clock: Clock,
    private readonly worker: FileWorker,
    fault?: Fault,
  ) {
    super(outside, clock, fault);
    const { database, enqueuer, landing } = this;
    const audit = new AuditService(database, clock);
    const records = new FileRecordsService(database, new IdempotencyService(clock), audit, clock);
    const admission = new Admission(outside.config);
    this.uploads = new FileUploadsService(
      outside.config,
      admission,
      records,
      this.mortalWriter(outside),
      landing,
      enqueuer,
      clock,
    );
  }

  upload(caller: Caller, body: object, key?: string): Promise<UploadedFile> {
    const bytes = Buffer.from(JSON.stringify(body));
    return this.uploads.upload(caller, { length: bytes.length, pieces: Readable.from([bytes]) }, key);
  }

  protected override async enqueue<Payload>(job: JobDefinition<Payload>, payloads: Payload[]): Promise<void> {
    if (this.died) return;
    if (job.name === discardFile.name)
      return void this.worker.discarding.push(...(payloads as DiscardFilePayload[]));
    await super.enqueue(job, payloads);
    for (const payload of this.queued.values()) await this.worker.verifier.verify(payload);
    this.queued.clear();
  }

  private mortalWriter({ config }: Outside): StagingWriter {
    const writer = new StagingWriter(config);
    const step = this.step.bind(this);
    return {
      put: (...given: Parameters<StagingWriter['put']>) => step('put', () => writer.put(...given)),
    } as unknown as StagingWriter;
  }
}
