import { Client } from 'pg';

const LIMIT_MS = 60_000;
const PAUSE_MS = 500;

/**
 * Waits until the database answers and is migrated. A queue built while its database is away never recovers, so nothing
 * is built before. Throws what the last try threw when the limit has passed.
 */
export async function waitForDatabase(url: string): Promise<void> {
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    try {
      await client.connect();
      const { rows } = await client.query<{ ready: boolean }>(
        `SELECT to_regclass('public.audit_event') IS NOT NULL AS ready`,
      );
      if (rows[0]?.ready) return;
      throw new Error('The database is not migrated: run `scandock migrate`.');
    } catch (error) {
      if (Date.now() - begun > LIMIT_MS) throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
