import { DiscoveryService, MetadataScanner, NestFactory, Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { ApiModule, BODY_LIMITS, ERROR_FORMATS } from './api.module.js';
import { auditResponses } from './modules/audit/http/audit.hook.js';
import { AuditService } from './modules/audit/audit.service.js';
import { AuthenticationGuard } from './modules/auth/http/authentication.guard.js';
import { ApplicationError } from './platform/errors/application-error.js';
import { SigningKeysService } from './modules/auth/signing-keys.service.js';
import { serveDocumentation } from './documentation.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseService } from './platform/database/database.service.js';
import { startMetricsServer } from './platform/health/metrics-server.js';
import { ErrorFilter } from './platform/http/error.filter.js';
import { readRouteTable, type Route } from './platform/http/route-table.js';
import { createHttpAdapter } from './platform/http/server.js';
import { validationPipe } from './platform/http/validation.js';
import { createLogger, NestLogger } from './platform/logging/nest-logger.js';
import { StorageService } from './platform/storage/storage.service.js';

export interface Api {
  app: NestFastifyApplication;
  routes: Route[];
}

/** Builds the API without listening. Fails when a route names no operation. */
export async function createApi(config: ConfigValues, { documentation = false } = {}): Promise<Api> {
  const logger = createLogger(config.LOG_LEVEL, 'api');
  const adapter = await createHttpAdapter(config, logger, BODY_LIMITS, ERROR_FORMATS);
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(config), adapter, {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ErrorFilter(ERROR_FORMATS));
  if (config.CORS_ORIGINS.length > 0)
    app.enableCors({
      origin: config.CORS_ORIGINS,
      methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
      exposedHeaders: [
        'x-request-id',
        'retry-after',
        'x-validation-error',
        'x-upload-id',
        'x-complete-since',
      ],
    });
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const suppressed = auditResponses(
    server,
    app.get(AuditService),
    ERROR_FORMATS,
    config.CREDENTIAL_FAILURES_PER_MINUTE,
  );
  server.addHook('onClose', () => suppressed.close());
  const routes = readRouteTable(app.get(DiscoveryService), new MetadataScanner(), app.get(Reflector));
  admitBeforeBody(server, routes, app.get(AuthenticationGuard));
  if (documentation) serveDocumentation(app, config);
  await app.init();
  return { app, routes };
}

/** The only operations whose bodies may be forms; everybody else's would be parsed for nothing. */
const FORM_OPERATIONS = ['tokens:issue', 'tokens:introspect', 'tokens:revoke', 'shares:unlock'];
const FORM = 'application/x-www-form-urlencoded';

/**
 * What is settled before a body is read: the operation's name and what its schemas declare, for event, log and metric of a
 * request that no guard will see; whose portal it is, where the route is a portal's; who calls, where the route is not public; and that a form comes
 * only where one is expected.
 */
function admitBeforeBody(server: FastifyInstance, routes: Route[], guard: AuthenticationGuard): void {
  const table = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  server.addHook('onRequest', async (request, reply) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method; // the server answers it by the route of the GET
    const route = table.get(`${method} ${request.routeOptions.url}`);
    if (!route) return;
    request.context.operation = route.operation;
    request.context.declares = route.declares;
    await guard.admit(request, new ExecutionContextHost([request, reply]), route);
    const isForm = request.headers['content-type']?.toLowerCase().startsWith(FORM) ?? false;
    if (isForm && !FORM_OPERATIONS.includes(route.operation.name))
      throw new ApplicationError('unsupported_media_type', 415, 'This content type is not supported here.');
  });
}

/** The API process. */
export async function runApi(config: ConfigValues): Promise<NestFastifyApplication> {
  const { app } = await createApi(config, { documentation: true });
  await app.get(DatabaseService).assertConfined();
  await app.get(StorageService).assertEncrypted();
  await app.get(SigningKeysService).current();
  if (config.METRICS_PORT !== undefined) await startMetricsServer(config.HOST, config.METRICS_PORT);
  await app.listen(config.PORT, config.HOST);
  return app;
}
