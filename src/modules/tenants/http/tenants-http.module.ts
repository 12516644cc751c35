import { Module } from '@nestjs/common';
import { TenantsModule } from '../tenants.module.js';
import { DeletionsController } from './deletions.controller.js';
import { TenantsController } from './tenants.controller.js';

@Module({ imports: [TenantsModule], controllers: [TenantsController, DeletionsController] })
export class TenantsHttpModule {}
