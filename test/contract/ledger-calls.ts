import { newId } from '../../src/platform/database/id.js';
import type { Client } from '../support/client.js';
import type { Calls } from './ingestion-calls.js';

const EVENTS = '/api/v1/audit/events';

/** The routes that read the ledger; `METHOD path` as in the route table. */
export function ledgerCalls(): Record<string, Calls> {
  const event = async (by: Client): Promise<string> => {
    await by.get(`${EVENTS}?limit=1`); // so that there is one
    return (await by.get(`${EVENTS}?limit=1`)).body.items[0].id;
  };
  return {
    [`GET ${EVENTS}`]: {
      success: (by) => by.get(EVENTS),
      failure: (by) => by.get(`${EVENTS}?limit=0`),
    },
    [`GET ${EVENTS}/:id`]: {
      success: async (by) => by.get(`${EVENTS}/${await event(by)}`),
      failure: (by) => by.get(`${EVENTS}/${newId()}`),
    },
  };
}
