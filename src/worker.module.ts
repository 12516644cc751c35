import { type DynamicModule, Module } from '@nestjs/common';
import { AccessWorkerModule } from './modules/access/worker/access-worker.module.js';
import { InvitationHandler } from './modules/access/worker/invitation.handler.js';
import { UnsentInvitations } from './modules/access/worker/unsent-invitations.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { AuditWorkerModule } from './modules/audit/worker/audit-worker.module.js';
import { Anchoring } from './modules/audit/worker/anchoring.js';
import { AuditGauges } from './modules/audit/worker/audit-gauges.js';
import { Partitions } from './modules/audit/worker/partitions.js';
import { Sealing } from './modules/audit/worker/sealing.js';
import { UnfinishedExports } from './modules/audit/worker/unfinished-exports.js';
import { AuthWorkerModule } from './modules/auth/worker/auth-worker.module.js';
import { ExpiredTokens } from './modules/auth/worker/expired-tokens.js';
import { UnsentCodes } from './modules/auth/worker/unsent-codes.js';
import { CasesWorkerModule } from './modules/cases/worker/cases-worker.module.js';
import { UnfinishedFiles } from './modules/cases/worker/unfinished-files.js';
import { FileCompletion } from './modules/inspect/worker/file-completion.js';
import { InspectWorkerModule } from './modules/inspect/worker/inspect-worker.module.js';
import { ResultDelivery } from './modules/results/worker/result-delivery.js';
import { ResultsWorkerModule } from './modules/results/worker/results-worker.module.js';
import { StudiesModule } from './modules/studies/studies.module.js';
import { TenantsWorkerModule } from './modules/tenants/worker/tenants-worker.module.js';
import { UnfinishedDeletions } from './modules/tenants/worker/unfinished-deletions.js';
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
    const auth = AuthWorkerModule.with([{ module: AccessWorkerModule, handler: InvitationHandler }]);
    return {
      module: WorkerModule,
      imports: [
        ConfigModule.with(config),
        ClockModule,
        DatabaseModule,
        StorageModule,
        QueueModule.with(config),
        AuditModule,
        UploadsWorkerModule.with(
          StudiesModule,
          [
            { module: ResultsWorkerModule, listener: ResultDelivery },
            { module: InspectWorkerModule, listener: FileCompletion },
          ],
          [
            { module: CasesWorkerModule, chore: UnfinishedFiles },
            { module: auth, chore: UnsentCodes },
            { module: auth, chore: ExpiredTokens },
            { module: AccessWorkerModule, chore: UnsentInvitations },
            { module: TenantsWorkerModule, chore: UnfinishedDeletions },
            { module: AuditWorkerModule, chore: Sealing },
            { module: AuditWorkerModule, chore: UnfinishedExports },
            { module: AuditWorkerModule, chore: Anchoring },
            { module: AuditWorkerModule, chore: Partitions },
            { module: AuditWorkerModule, chore: AuditGauges },
          ],
        ),
      ],
    };
  }
}
