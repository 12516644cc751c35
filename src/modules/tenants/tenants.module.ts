import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { DeletionsService } from './deletions.service.js';
import './tenants.events.js';
import { TenantsService } from './tenants.service.js';

@Module({
  imports: [AccessModule],
  providers: [TenantsService, DeletionsService],
  exports: [TenantsService, DeletionsService],
})
export class TenantsModule {}
