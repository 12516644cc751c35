import { newId } from '../../src/platform/database/id.js';
import type { World } from '../support/world.js';
import type { Calls } from './ingestion-calls.js';

const ACCESS = '/api/v1/admin/access';

/** The routes that tell who may do what; `METHOD path` as in the route table. */
export function explainCalls(worldOf: () => World, organizationOf: () => string): Record<string, Calls> {
  const client = async (): Promise<{ kind: 'client'; id: string }> => {
    const { rows } = await worldOf().admin.query<{ id: string }>(
      'SELECT id FROM oauth_client WHERE organization_id = $1 LIMIT 1',
      [organizationOf()],
    );
    return { kind: 'client', id: rows[0]!.id };
  };
  return {
    [`POST ${ACCESS}/explain`]: {
      success: async (by) =>
        by.post(`${ACCESS}/explain`, { principal: await client(), operation: 'exams:read' }),
      failure: (by) =>
        by.post(`${ACCESS}/explain`, { principal: { kind: 'client', id: newId() }, operation: 'exams:read' }),
    },
    [`GET ${ACCESS}/rights`]: {
      success: async (by) => by.get(`${ACCESS}/rights?kind=client&id=${(await client()).id}`),
      failure: (by) => by.get(`${ACCESS}/rights?kind=group&id=${newId()}`),
    },
  };
}
