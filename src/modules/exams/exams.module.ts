import { Module } from '@nestjs/common';
import './exams.policy.js';
import { SharingModule } from '../sharing/sharing.module.js';
import { StudiesModule } from '../studies/studies.module.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { ExamQueries } from './exams.queries.js';
import { ExamsService } from './exams.service.js';
import { ShareSettingsService } from './share-settings.service.js';
import { SharedExamsService } from './shared-exams.service.js';

@Module({
  imports: [UploadsModule, StudiesModule, SharingModule],
  providers: [ExamsService, ExamQueries, ShareSettingsService, SharedExamsService],
  exports: [ExamsService, ExamQueries, ShareSettingsService, SharedExamsService, SharingModule],
})
export class ExamsModule {}
