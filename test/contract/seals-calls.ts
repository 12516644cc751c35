import type { Calls } from './ingestion-calls.js';

const AUDIT = '/api/v1/audit';

/** Every audited route by which seals are told and checked; `METHOD path` as in the route table. */
export function sealsCalls(
  broken: (call: () => ReturnType<Calls['failure']>) => ReturnType<Calls['failure']>,
): Record<string, Calls> {
  return {
    [`GET ${AUDIT}/seals`]: {
      success: (by) => by.get(`${AUDIT}/seals`),
      failure: (by) => by.get(`${AUDIT}/seals?limit=0`),
    },
    [`GET ${AUDIT}/keys`]: {
      success: (by) => by.get(`${AUDIT}/keys`),
      failure: (by) => broken(() => by.get(`${AUDIT}/keys`)),
    },
    [`POST ${AUDIT}/verify`]: {
      success: (by) => by.post(`${AUDIT}/verify`, {}),
      failure: (by) => by.post(`${AUDIT}/verify`, { from: 'yesterday' }),
    },
  };
}
