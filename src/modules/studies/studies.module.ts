import { Module } from '@nestjs/common';
import { Registrar } from '../uploads/registrar.js';
import { StudiesService } from './studies.service.js';
import { StudyRegistrar } from './study.registrar.js';

@Module({
  providers: [StudiesService, { provide: Registrar, useClass: StudyRegistrar }],
  exports: [StudiesService, Registrar],
})
export class StudiesModule {}
