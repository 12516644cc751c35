import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { UploadsModule } from '../uploads.module.js';
import { PurgeService } from './purge.service.js';
import { Reconciler } from './reconciler.js';
import { SettlementService } from './settlement.service.js';
import { StagingSweep } from './staging.sweep.js';
import { VerifyProcessor } from './verify.processor.js';
import { VerifyService } from './verify.service.js';

@Module({})
export class UploadsWorkerModule {
  /** @param registrar the module that exports the `Registrar`: uploads know no index, the composition tells them. */
  static with(registrar: Type): DynamicModule {
    return {
      module: UploadsWorkerModule,
      imports: [UploadsModule, registrar],
      providers: [VerifyProcessor, VerifyService, SettlementService, Reconciler, StagingSweep, PurgeService],
      exports: [VerifyService, Reconciler],
    };
  }
}
