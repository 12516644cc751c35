import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ConfigValues } from './platform/config/config.schema.js';
import { DatabaseService } from './platform/database/database.service.js';
import { startMetricsServer } from './platform/health/metrics-server.js';
import { createLogger, NestLogger } from './platform/logging/nest-logger.js';
import { StorageService } from './platform/storage/storage.service.js';
import { WorkerModule } from './worker.module.js';

/** The worker process: verifies uploads, reconciles ledger and bucket. */
export async function runWorker(config: ConfigValues): Promise<INestApplicationContext> {
  const logger = new NestLogger(createLogger(config.LOG_LEVEL, 'worker'));
  const app = await NestFactory.createApplicationContext(WorkerModule.with(config), {
    logger,
    abortOnError: false,
  });
  await app.get(DatabaseService).assertConfined();
  await app.get(StorageService).assertEncrypted();
  if (config.METRICS_PORT !== undefined) await startMetricsServer(config.HOST, config.METRICS_PORT);
  return app;
}
