import { Module } from '@nestjs/common';
import './cases.policy.js';
import { InspectModule } from '../inspect/inspect.module.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { Admission } from './admission.js';
import { CaseFilesService } from './case-files.service.js';
import { CasesService } from './cases.service.js';
import { FileRecordsService } from './file-records.service.js';
import { FileUploadsService } from './file-uploads.service.js';
import { PatientFilesService } from './patient-files.service.js';

@Module({
  imports: [UploadsModule, InspectModule],
  providers: [
    Admission,
    FileRecordsService,
    FileUploadsService,
    PatientFilesService,
    CasesService,
    CaseFilesService,
  ],
  exports: [FileUploadsService, PatientFilesService, CasesService, CaseFilesService],
})
export class CasesModule {}
