import { Processor } from '@nestjs/bullmq';
import { JobProcessor, PROCESSOR_OPTIONS } from '../../../platform/queue/job.processor.js';
import { writeExport, type WriteExportPayload } from '../exports.jobs.js';
import { ExportService } from './export.service.js';

/** Takes `write-export` jobs, one at a time: each reads all of a ledger. */
@Processor(writeExport.queue, PROCESSOR_OPTIONS)
export class ExportProcessor extends JobProcessor<WriteExportPayload> {
  readonly job = writeExport;
  protected readonly concurrency = 1;

  constructor(private readonly exports: ExportService) {
    super();
  }

  handle(payload: WriteExportPayload): Promise<void> {
    return this.exports.write(payload);
  }

  override giveUp(payload: WriteExportPayload, error: unknown): Promise<void> {
    return this.exports.giveUp(payload, error);
  }
}
