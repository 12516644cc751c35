import { newId } from '../../src/platform/database/id.js';
import type { Admin } from '../support/admin.js';
import type { World } from '../support/world.js';
import type { Calls } from './ingestion-calls.js';

export const EXPORTS = '/api/v1/audit/exports';

/** Every audited route of exports of the ledger; `METHOD path` as in the route table. */
export function exportsCalls(worldOf: () => World, organizationOf: () => string): Record<string, Calls> {
  const create = async (by: Pick<Admin, 'post'>) => {
    // Nothing is sealed here, so that none of those before it has an end by itself, and only a few are taken.
    await worldOf().admin.query(
      `UPDATE audit_export SET state = 'failed', failure = 'none', finished_at = now() WHERE organization_id = $1 AND finished_at IS NULL`,
      [organizationOf()],
    );
    return by.post(EXPORTS, { format: 'ndjson' });
  };
  return {
    [`POST ${EXPORTS}`]: {
      success: create,
      failure: (by) => by.post(EXPORTS, { format: 'pdf' }),
    },
    [`GET ${EXPORTS}`]: {
      success: (by) => by.get(EXPORTS),
      failure: (by) => by.get(`${EXPORTS}?limit=0`),
    },
    [`GET ${EXPORTS}/:id`]: {
      success: async (by) => by.get(`${EXPORTS}/${(await create(by)).body.id}`),
      failure: (by) => by.get(`${EXPORTS}/${newId()}`),
    },
  };
}
