import { Module } from '@nestjs/common';
import './studies.policy.js';
import { EventsModule } from '../events/events.module.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { OrdersModule } from '../orders/orders.module.js';
import { Registrar } from '../uploads/registrar.js';
import { StudiesService } from './studies.service.js';
import { StudyQueries } from './study.queries.js';
import { StudyRegistrar } from './study.registrar.js';
import { SubmissionCloser } from './submission.closer.js';

@Module({
  imports: [EventsModule, OrdersModule, MetadataModule],
  providers: [
    StudiesService,
    StudyQueries,
    SubmissionCloser,
    { provide: Registrar, useClass: StudyRegistrar },
  ],
  exports: [StudiesService, StudyQueries, Registrar],
})
export class StudiesModule {}
