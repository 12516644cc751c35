import { newId } from '../../src/platform/database/id.js';
import type { Client } from '../support/client.js';
import type { Calls } from './ingestion-calls.js';

const HOLDS = '/api/v1/audit/holds';

/** Every route of legal holds; `METHOD path` as in the route table. */
export function holdsCalls(): Record<string, Calls> {
  const hold = async (by: Client): Promise<string> => (await by.post(HOLDS, { reference: 'M-1' })).body.id;
  return {
    [`GET ${HOLDS}`]: {
      success: (by) => by.get(HOLDS),
      failure: (by) => by.get(`${HOLDS}?limit=0`),
    },
    [`POST ${HOLDS}`]: {
      success: (by) => by.post(HOLDS, { reference: 'M-1' }),
      failure: (by) => by.post(HOLDS, {}),
    },
    [`GET ${HOLDS}/:id`]: {
      success: async (by) => by.get(`${HOLDS}/${await hold(by)}`),
      failure: (by) => by.get(`${HOLDS}/${newId()}`),
    },
    [`POST ${HOLDS}/:id/release`]: {
      success: async (by) => by.post(`${HOLDS}/${await hold(by)}/release`),
      failure: (by) => by.post(`${HOLDS}/${newId()}/release`),
    },
  };
}
