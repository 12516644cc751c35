import { Module } from '@nestjs/common';
import './uploads.policy.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { OrdersModule } from '../orders/orders.module.js';
import { LandingService } from './landing.service.js';
import { SingleUploadsService } from './single-uploads.service.js';
import { UploadQueries } from './upload.queries.js';
import { UploadsService } from './uploads.service.js';

@Module({
  imports: [OrdersModule, MetadataModule],
  providers: [UploadsService, SingleUploadsService, UploadQueries, LandingService],
  exports: [UploadsService, SingleUploadsService, UploadQueries, LandingService],
})
export class UploadsModule {}
