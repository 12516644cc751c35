import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { type ConnectionOptions, setDefaultBackendFactory } from 'bullmq';
import type { ConfigValues } from '../config/config.schema.js';
import { QUEUE_SCHEMA } from '../database/bootstrap.js';
import { SteadyClient } from '../database/steady-client.js';
import { Enqueuer } from './enqueuer.js';
import { QUEUES } from './queues.js';
import { createSteadyBackend } from './steady-backend.js';

/** Connections the queue may hold on Postgres, in each process. */
const POSTGRES_CONNECTIONS = 6;

/** BullMQ on Redis when REDIS_URL is set, else on the application's own Postgres. */
@Global()
@Module({})
export class QueueModule {
  static with(config: ConfigValues): DynamicModule {
    if (!config.REDIS_URL) setDefaultBackendFactory(createSteadyBackend);
    return {
      module: QueueModule,
      imports: [
        BullModule.forRoot({ connection: queueConnection(config) }),
        ...QUEUES.map((name) => BullModule.registerQueue({ name })),
      ],
      providers: [Enqueuer],
      exports: [BullModule, Enqueuer],
    };
  }
}

function queueConnection(config: ConfigValues): ConnectionOptions {
  if (config.REDIS_URL) return { url: config.REDIS_URL, maxRetriesPerRequest: null };
  const postgres = {
    connectionString: config.DATABASE_URL,
    schema: QUEUE_SCHEMA,
    max: POSTGRES_CONNECTIONS,
    Client: SteadyClient,
  };
  return postgres as unknown as ConnectionOptions; // BullMQ types `connection` for Redis; the backend takes pg's pool options
}
