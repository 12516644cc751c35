import { Processor } from '@nestjs/bullmq';
import { Inject } from '@nestjs/common';
import type { JobHandler } from '../../../platform/queue/job-handler.js';
import { JobProcessor, PROCESSOR_OPTIONS } from '../../../platform/queue/job.processor.js';
import { deliverCode, type DeliverCodePayload } from '../auth.jobs.js';
import { CodeDeliveryService } from './code-delivery.service.js';

/** Injection token: the messages that modules above this one send, each with what is done with its jobs. */
export const OTHER_MESSAGES = Symbol('OTHER_MESSAGES');

/** Takes `deliver-code` jobs, and those of other messages: mostly waiting for a mail server, so that a few at a time cost nothing. */
@Processor(deliverCode.queue, PROCESSOR_OPTIONS)
export class DeliverProcessor extends JobProcessor<DeliverCodePayload> {
  readonly job = deliverCode;
  protected readonly concurrency = 8;

  constructor(
    private readonly delivery: CodeDeliveryService,
    @Inject(OTHER_MESSAGES) protected override readonly others: readonly JobHandler[],
  ) {
    super();
  }

  handle(payload: DeliverCodePayload): Promise<void> {
    return this.delivery.deliver(payload);
  }
}
