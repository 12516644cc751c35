import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { AccessHttpModule } from './modules/access/http/access-http.module.js';
import { AccessModule } from './modules/access/access.module.js';
import { AuthorizationGuard } from './modules/access/http/authorization.guard.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { AuditHttpModule } from './modules/audit/http/audit-http.module.js';
import { AuthHttpModule } from './modules/auth/http/auth-http.module.js';
import { AuthenticationGuard } from './modules/auth/http/authentication.guard.js';
import { CREATE_BODY_LIMIT } from './modules/exams/exams.schemas.js';
import { examsErrorFormats } from './modules/exams/http/exams.error-format.js';
import { CasesHttpModule } from './modules/cases/http/cases-http.module.js';
import { EventsHttpModule } from './modules/events/http/events-http.module.js';
import { InspectHttpModule } from './modules/inspect/http/inspect-http.module.js';
import { inspectErrorFormat } from './modules/inspect/http/inspect.error-format.js';
import { IngestionHttpModule } from './modules/ingestion/http/ingestion-http.module.js';
import { ResultsHttpModule } from './modules/results/http/results-http.module.js';
import { RESULT_LIMIT } from './modules/results/results.schemas.js';
import { ReportsHttpModule } from './modules/reports/http/reports-http.module.js';
import { TenantsHttpModule } from './modules/tenants/http/tenants-http.module.js';
import { StudiesHttpModule } from './modules/studies/http/studies-http.module.js';
import { UploadsHttpModule } from './modules/uploads/http/uploads-http.module.js';
import { ExamsHttpModule } from './modules/exams/http/exams-http.module.js';
import { shareErrorFormats } from './modules/exams/http/share-page.error-format.js';
import { portalErrorFormat } from './modules/auth/http/portal.error-format.js';
import { oauthErrorFormats } from './modules/auth/http/oauth.error-format.js';
import { ClockModule } from './platform/clock/clock.module.js';
import { ConfigModule } from './platform/config/config.module.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { HealthController } from './platform/health/health.controller.js';
import { type ErrorFormat, problemDetails } from './platform/http/error-format.js';
import { HttpModule } from './platform/http/http.module.js';
import { RateLimitGuard } from './platform/http/rate-limit.guard.js';
import type { BodyLimits } from './platform/http/server.js';
import { QueueModule } from './platform/queue/queue.module.js';
import { StorageModule } from './platform/storage/storage.module.js';

/** How each surface words its errors. */
export const ERROR_FORMATS: ErrorFormat[] = [
  ...oauthErrorFormats,
  ...examsErrorFormats,
  ...shareErrorFormats,
  portalErrorFormat,
  inspectErrorFormat,
  problemDetails,
];

/** Forms are small; an exam's file list is not. */
const FORM_LIMIT = 8 * 1024;

export const BODY_LIMITS: BodyLimits = {
  '/api/v1/exams': CREATE_BODY_LIMIT,
  '/results': RESULT_LIMIT,
  '/oauth2/token': FORM_LIMIT,
  '/oauth2/introspect': FORM_LIMIT,
  '/oauth2/revoke': FORM_LIMIT,
  '/auth/token': FORM_LIMIT,
  '/share/:token': FORM_LIMIT,
};

/** The composition of the API process. */
@Module({})
export class ApiModule {
  static with(config: ConfigValues): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        ConfigModule.with(config),
        ClockModule,
        DatabaseModule,
        StorageModule,
        QueueModule.with(config),
        HttpModule,
        DiscoveryModule,
        AuditModule,
        AuthHttpModule,
        AccessModule,
        AccessHttpModule,
        EventsHttpModule,
        UploadsHttpModule,
        StudiesHttpModule,
        IngestionHttpModule,
        ResultsHttpModule,
        InspectHttpModule,
        ExamsHttpModule,
        CasesHttpModule,
        TenantsHttpModule,
        ReportsHttpModule,
        AuditHttpModule,
      ],
      controllers: [HealthController],
      // In this order: who calls, how often, whether they may.
      providers: [
        AuthenticationGuard,
        { provide: APP_GUARD, useExisting: AuthenticationGuard },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_GUARD, useClass: AuthorizationGuard },
      ],
    };
  }
}
