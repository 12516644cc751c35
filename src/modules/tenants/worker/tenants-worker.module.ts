import { Module } from '@nestjs/common';
import { AccessModule } from '../../access/access.module.js';
import '../tenants.events.js';
import { DeletionProcessor } from './deletion.processor.js';
import { ExportService } from './export.service.js';
import { OrganizationPurge } from './organization.purge.js';
import { UnfinishedDeletions } from './unfinished-deletions.js';

@Module({
  imports: [AccessModule],
  providers: [ExportService, OrganizationPurge, DeletionProcessor, UnfinishedDeletions],
  exports: [UnfinishedDeletions],
})
export class TenantsWorkerModule {}
