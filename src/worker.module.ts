import { type DynamicModule, Module } from '@nestjs/common';
import { AuditModule } from './modules/audit/audit.module.js';
import { ResultDelivery } from './modules/results/worker/result-delivery.js';
import { ResultsWorkerModule } from './modules/results/worker/results-worker.module.js';
import { StudiesModule } from './modules/studies/studies.module.js';
import { UploadsWorkerModule } from './modules/uploads/worker/uploads-worker.module.js';
import { ClockModule } from './platform/clock/clock.module.js';
import { ConfigModule } from './platform/config/config.module.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { QueueModule } from './platform/queue/queue.module.js';
import { StorageModule } from './platform/storage/storage.module.js';

/** The composition of the worker process. */
@Module({})
export class WorkerModule {
  static with(config: ConfigValues): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        ConfigModule.with(config),
        ClockModule,
        DatabaseModule,
        StorageModule,
        QueueModule.with(config),
        AuditModule,
        UploadsWorkerModule.with(StudiesModule, [{ module: ResultsWorkerModule, listener: ResultDelivery }]),
      ],
    };
  }
}
