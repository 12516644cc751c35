import { Module } from '@nestjs/common';
import { MetadataModule } from '../metadata/metadata.module.js';
import { OrdersModule } from '../orders/orders.module.js';
import { StudiesModule } from '../studies/studies.module.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { IngestionService } from './ingestion.service.js';
import { OrderQueries } from './order.queries.js';
import { OrderViews } from './order.views.js';

@Module({
  imports: [OrdersModule, MetadataModule, UploadsModule, StudiesModule],
  providers: [IngestionService, OrderQueries, OrderViews],
  exports: [IngestionService, OrderQueries, UploadsModule],
})
export class IngestionModule {}
