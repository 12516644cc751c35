import { type DynamicModule, Module } from '@nestjs/common';
import { AccessModule } from './modules/access/access.module.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { SealKeyRotationService } from './modules/audit/seal-key-rotation.service.js';
import { RetirementModule } from './modules/audit/retention/retirement.module.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { ClockModule } from './platform/clock/clock.module.js';
import { ConfigModule } from './platform/config/config.module.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { StorageModule } from './platform/storage/storage.module.js';
// A right is to an operation that some policy defines: without these, what somebody may do would be told wrongly.
import './modules/cases/cases.policy.js';
import './modules/events/events.policy.js';
import './modules/exams/exams.policy.js';
import './modules/inspect/inspect.policy.js';
import './modules/metadata/metadata.policy.js';
import './modules/orders/orders.policy.js';
import './modules/reports/reports.policy.js';
import './modules/results/results.policy.js';
import './modules/sharing/sharing.policy.js';
import './modules/studies/studies.policy.js';
import './modules/uploads/uploads.policy.js';
import './platform/health/health.policy.js';

/** What retires months of the ledger: it reads the bucket as well. */
@Module({})
export class RetirementOperatorModule {
  static with(config: ConfigValues): DynamicModule {
    return {
      module: RetirementOperatorModule,
      imports: [
        ConfigModule.with(config),
        ClockModule,
        DatabaseModule,
        StorageModule,
        AuditModule,
        RetirementModule,
      ],
    };
  }
}

/** The composition of the operator's commands: no routes, no queue, no workers. */
@Module({})
export class OperatorModule {
  static with(config: ConfigValues): DynamicModule {
    return {
      module: OperatorModule,
      imports: [
        ConfigModule.with(config),
        ClockModule,
        DatabaseModule,
        AuditModule,
        AuthModule,
        AccessModule,
      ],
      providers: [SealKeyRotationService],
    };
  }
}
