import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OrganizationsService } from './modules/access/organizations.service.js';
import { RightsService } from './modules/access/rights.service.js';
import { SealKeyRotationService } from './modules/audit/seal-key-rotation.service.js';
import { KeyRotationService } from './modules/auth/key-rotation.service.js';
import { RetirementService } from './modules/audit/retention/retirement.service.js';
import { OperatorModule, RetirementOperatorModule } from './operator.module.js';
import { configSchema, type ConfigValues } from './platform/config/config.schema.js';

/** Runs an operator's task on the services, without routes or queue. */
export function asOperator<T>(
  databaseUrl: string,
  task: (organizations: OrganizationsService, rights: RightsService) => Promise<T>,
): Promise<T> {
  return run(operatorConfig(databaseUrl), (app) =>
    task(app.get(OrganizationsService), app.get(RightsService)),
  );
}

/** The same on the keys that sign tokens. @param masterKey 32 bytes, those of the processes that will open what is sealed */
export function asKeyOperator<T>(
  databaseUrl: string,
  masterKey: Uint8Array,
  task: (rotation: KeyRotationService) => Promise<T>,
): Promise<T> {
  return run(operatorConfig(databaseUrl, masterKey), (app) => task(app.get(KeyRotationService)));
}

/** The same on the keys that sign seals. @param databaseUrl as the worker: nobody else may keep them */
export function asSealKeyOperator<T>(
  databaseUrl: string,
  masterKey: Uint8Array,
  task: (rotation: SealKeyRotationService) => Promise<T>,
): Promise<T> {
  return run(operatorConfig(databaseUrl, masterKey), (app) =>
    task(app.get(SealKeyRotationService, { strict: false })),
  );
}

/** What retires months of the ledger. @param config with database and bucket of the worker */
export function asRetirementOperator<T>(
  config: ConfigValues,
  task: (retirement: RetirementService) => Promise<T>,
): Promise<T> {
  return run(config, (app) => task(app.get(RetirementService)), RetirementOperatorModule.with(config));
}

async function run<T>(
  config: ConfigValues,
  task: (app: INestApplicationContext) => Promise<T>,
  composition: DynamicModule = OperatorModule.with(config),
): Promise<T> {
  const app = await NestFactory.createApplicationContext(composition, {
    logger: false,
    abortOnError: false,
  });
  try {
    return await task(app);
  } finally {
    await app.close();
  }
}

/** Most of the operator's tasks touch neither bucket nor keys; their variables need not be there. */
function operatorConfig(databaseUrl: string, masterKey: Uint8Array = new Uint8Array(32)): ConfigValues {
  const unused = {
    S3_ENDPOINT: 'http://unused.invalid',
    S3_ACCESS_KEY_ID: 'unused',
    S3_SECRET_ACCESS_KEY: 'unused',
  };
  return configSchema.parse({
    ...unused,
    SCANDOCK_MASTER_KEY: Buffer.from(masterKey).toString('hex'),
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: 2,
  });
}
