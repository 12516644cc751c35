import { Processor } from '@nestjs/bullmq';
import { Inject } from '@nestjs/common';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { JobProcessor, PROCESSOR_OPTIONS } from '../../../platform/queue/job.processor.js';
import { verifyUpload, type VerifyUploadPayload } from '../uploads.jobs.js';
import { VerifyService } from './verify.service.js';

/** Takes `verify-upload` jobs. */
@Processor(verifyUpload.queue, PROCESSOR_OPTIONS)
export class VerifyProcessor extends JobProcessor<VerifyUploadPayload> {
  readonly job = verifyUpload;
  protected readonly concurrency: number;

  constructor(
    @Inject(CONFIG) config: ConfigValues,
    private readonly verifier: VerifyService,
  ) {
    super();
    this.concurrency = config.WORKER_CONCURRENCY;
  }

  handle(payload: VerifyUploadPayload): Promise<void> {
    return this.verifier.verify(payload);
  }

  override giveUp(payload: VerifyUploadPayload, error: unknown): Promise<void> {
    return this.verifier.giveUp(payload, error);
  }
}
