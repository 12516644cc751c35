import { jest } from '@jest/globals';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import type { SqlTransaction } from '../../src/platform/database/sql-transaction.js';
import { Enqueuer } from '../../src/platform/queue/enqueuer.js';
import type { World } from './world.js';

/**
 * What is done for a call: its statements, bound to one organization each, and the jobs it queues. Until
 * `jest.restoreAllMocks()`.
 */
export function watchedCalls({ api }: World): (call: () => Promise<unknown>) => Promise<string[]> {
  const done: string[] = [];
  const database = api.app.get(DatabaseService);
  const { withOrganizationSql } = database;
  const recorded = (tx: SqlTransaction): SqlTransaction => ({
    $queryRaw: (text, ...values) => (done.push(text.join('?')), tx.$queryRaw(text, ...values)),
    $executeRaw: (text, ...values) => (done.push(text.join('?')), tx.$executeRaw(text, ...values)),
  });
  jest
    .spyOn(database, 'withOrganizationSql')
    .mockImplementation(
      (organizationId, work) =>
        withOrganizationSql.call(database, organizationId, (tx) => work(recorded(tx))) as never,
    );
  const enqueuer = api.app.get(Enqueuer);
  const { enqueue } = enqueuer;
  jest.spyOn(enqueuer, 'enqueue').mockImplementation((job, payloads) => {
    done.push(`${payloads.length} ${job.name}`);
    return enqueue.call(enqueuer, job as never, payloads);
  });
  return async (call) => {
    await call();
    return done.splice(0);
  };
}
