import { Module } from '@nestjs/common';
import { UploadsModule } from '../uploads.module.js';
import { StorageEventsController } from './storage-events.controller.js';
import { UploadsController } from './uploads.controller.js';

@Module({ imports: [UploadsModule], controllers: [UploadsController, StorageEventsController] })
export class UploadsHttpModule {}
