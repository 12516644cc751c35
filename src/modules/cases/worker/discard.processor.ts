import { Processor } from '@nestjs/bullmq';
import { JobProcessor, PROCESSOR_OPTIONS } from '../../../platform/queue/job.processor.js';
import { discardFile, type DiscardFilePayload } from '../cases.jobs.js';
import { DiscardService } from './discard.service.js';

/** Takes `discard-file` jobs. */
@Processor(discardFile.queue, PROCESSOR_OPTIONS)
export class DiscardProcessor extends JobProcessor<DiscardFilePayload> {
  readonly job = discardFile;
  protected readonly concurrency = 4;

  constructor(private readonly discards: DiscardService) {
    super();
  }

  handle(payload: DiscardFilePayload): Promise<void> {
    return this.discards.discard(payload);
  }
}
