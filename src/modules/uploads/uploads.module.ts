import { Module } from '@nestjs/common';
import './uploads.policy.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { OrdersModule } from '../orders/orders.module.js';
import { LandingService } from './landing.service.js';
import { SingleUploadsService } from './single-uploads.service.js';
import { StagingWriter } from './staging.writer.js';
import { StorageEventsService } from './storage-events.service.js';
import { UploadQueries } from './upload.queries.js';
import { UploadsService } from './uploads.service.js';

@Module({
  imports: [OrdersModule, MetadataModule],
  providers: [
    UploadsService,
    SingleUploadsService,
    UploadQueries,
    LandingService,
    StagingWriter,
    StorageEventsService,
  ],
  exports: [
    StorageEventsService,
    UploadsService,
    SingleUploadsService,
    UploadQueries,
    LandingService,
    StagingWriter,
  ],
})
export class UploadsModule {}
