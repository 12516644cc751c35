import type { Pool } from 'pg';
import { eventually } from './client.js';

/** For databases where a test holds a lock and others wait for it: busy machines may take longer than the 3 s as shipped. */
export const PATIENT = { lock_timeout: '30000' };

/**
 * Until that many statements of this database, or more, wait for a lock.
 * @param kind of lock, as `pg_stat_activity.wait_event` names it; otherwise any
 */
export async function lockWaiters(admin: Pool, count: number, kind?: 'advisory'): Promise<void> {
  const ask = async () =>
    (
      await admin.query<{ waiting: number }>(
        `SELECT count(*)::int AS waiting FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = coalesce($1, wait_event)`,
        [kind ?? null],
      )
    ).rows[0]!.waiting;
  await eventually(ask, (waiting) => waiting >= count);
}
