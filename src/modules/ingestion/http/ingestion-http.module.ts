import { Module } from '@nestjs/common';
import { IngestionModule } from '../ingestion.module.js';
import { OrdersController } from './orders.controller.js';
import { IngestionUploadsController } from './uploads.controller.js';

@Module({ imports: [IngestionModule], controllers: [OrdersController, IngestionUploadsController] })
export class IngestionHttpModule {}
