import { NestFactory } from '@nestjs/core';
import { OrganizationsService } from './modules/access/organizations.service.js';
import { OperatorModule } from './operator.module.js';
import { configSchema, type ConfigValues } from './platform/config/config.schema.js';

/** Runs an operator's task on the services, without routes or queue. */
export async function asOperator<T>(
  databaseUrl: string,
  task: (organizations: OrganizationsService) => Promise<T>,
): Promise<T> {
  const config = operatorConfig(databaseUrl);
  const app = await NestFactory.createApplicationContext(OperatorModule.with(config), {
    logger: false,
    abortOnError: false,
  });
  try {
    return await task(app.get(OrganizationsService));
  } finally {
    await app.close();
  }
}

/** The operator's tasks touch neither bucket nor keys; their variables need not be there. */
function operatorConfig(databaseUrl: string): ConfigValues {
  const unused = {
    S3_ENDPOINT: 'http://unused.invalid',
    S3_ACCESS_KEY_ID: 'unused',
    S3_SECRET_ACCESS_KEY: 'unused',
  };
  return configSchema.parse({
    ...unused,
    SCANDOCK_MASTER_KEY: '0'.repeat(64),
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: 2,
  });
}
