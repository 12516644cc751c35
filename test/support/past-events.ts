import type { Pool } from 'pg';
import { newId } from '../../src/platform/database/id.js';

/** Writes events of those times as if they had happened then: through the ledger, so that they are queued for their seal. */
export async function plantEventsAt(
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
