import { Module } from '@nestjs/common';
import { CasesModule } from '../cases.module.js';
import { CaseFilesController } from './case-files.controller.js';
import { CasesController } from './cases.controller.js';
import { PatientFilesController } from './patient-files.controller.js';

@Module({
  imports: [CasesModule],
  controllers: [PatientFilesController, CasesController, CaseFilesController],
})
export class CasesHttpModule {}
