import { type DynamicModule, Module } from '@nestjs/common';
import { AccessModule } from './modules/access/access.module.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { ClockModule } from './platform/clock/clock.module.js';
import { ConfigModule } from './platform/config/config.module.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseModule } from './platform/database/database.module.js';

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
    };
  }
}
