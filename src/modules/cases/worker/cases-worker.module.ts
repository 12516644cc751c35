import { Module } from '@nestjs/common';
import { DiscardProcessor } from './discard.processor.js';
import { DiscardService } from './discard.service.js';
import { UnfinishedFiles } from './unfinished-files.js';

@Module({
  providers: [DiscardService, DiscardProcessor, UnfinishedFiles],
  exports: [UnfinishedFiles],
})
export class CasesWorkerModule {}
