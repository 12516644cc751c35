import { Module } from '@nestjs/common';
import { EventsModule } from '../events/events.module.js';
import { Registrar } from '../uploads/registrar.js';
import { StudiesService } from './studies.service.js';
import { StudyRegistrar } from './study.registrar.js';
import { SubmissionCloser } from './submission.closer.js';

@Module({
  imports: [EventsModule],
  providers: [StudiesService, SubmissionCloser, { provide: Registrar, useClass: StudyRegistrar }],
  exports: [StudiesService, Registrar],
})
export class StudiesModule {}
