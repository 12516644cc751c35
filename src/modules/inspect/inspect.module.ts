import { Module } from '@nestjs/common';
import './inspect.policy.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { CompletionService } from './completion.service.js';
import { InspectQueries } from './inspect.queries.js';
import { InspectService } from './inspect.service.js';

@Module({
  imports: [UploadsModule],
  providers: [InspectService, CompletionService, InspectQueries],
  exports: [InspectService, CompletionService, InspectQueries],
})
export class InspectModule {}
