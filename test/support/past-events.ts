import { Client as PgClient, type Pool } from 'pg';
import { newId } from '../../src/platform/database/id.js';
import type { World } from './world.js';

/** Writes events of those times as if they had happened then: through the ledger, so that they are queued for their seal. */
export async function plantEvents(
  admin: Pool,
  organizationId: string,
  times: readonly string[],
): Promise<string[]> {
  const ids = times.map(() => newId());
  await admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, scopes, detail)
     SELECT e.id, e.occurred_at, $1, 'system', 'worker', 'uploads:expire', 'success', '{}', '{"count": 1}'
     FROM unnest($2::uuid[], $3::timestamptz[]) AS e(id, occurred_at)`,
    [organizationId, ids, times],
  );
  return ids;
}

/** The owner of the tables, who is no superuser and bound by row-level security: what an administrator becomes. */
export class LedgerOwner {
  private constructor(private readonly client: PgClient) {}

  static async of(world: World): Promise<LedgerOwner> {
    const url = new URL(process.env.TEST_ADMIN_URL!);
    url.pathname = new URL(world.environment.DATABASE_URL!).pathname;
    const client = new PgClient({ connectionString: url.toString() });
    await client.connect();
    await client.query('SET ROLE scandock_owner');
    return new LedgerOwner(client);
  }

  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query<Row>(sql, values)).rows;
  }

  close(): Promise<void> {
    return this.client.end();
  }
}
