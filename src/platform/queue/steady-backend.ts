import { type BackendFactory, createPostgresBackend, type PostgresQueueBackend } from 'bullmq';
import type { Client } from 'pg';
import { SteadyClient } from '../database/steady-client.js';

/** What BullMQ 6.7 makes the connection of with that it listens for jobs. */
interface Listening {
  pgModule?: { Client: typeof Client };
}

/**
 * BullMQ's backend on Postgres, whose connections are steady, that which listens for jobs included. BullMQ makes it of `pg`'s
 * own class, and waits for it before it listens for its errors: one that is ended in the same moment it is there would end
 * the process.
 */
export const createSteadyBackend: BackendFactory<PostgresQueueBackend> = (...given) => {
  const backend = createPostgresBackend(...(given as Parameters<typeof createPostgresBackend>));
  const listening = backend.connection as unknown as Listening;
  if (!listening.pgModule) throw new Error('BullMQ makes its connections in another way than it did.');
  listening.pgModule = { Client: SteadyClient };
  return backend;
};
