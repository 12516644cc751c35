import { Module } from '@nestjs/common';
import { EventsModule } from '../../events/events.module.js';
import { ResultDelivery } from './result-delivery.js';

@Module({ imports: [EventsModule], providers: [ResultDelivery], exports: [ResultDelivery] })
export class ResultsWorkerModule {}
