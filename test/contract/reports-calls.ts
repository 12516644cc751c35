import { newId } from '../../src/platform/database/id.js';
import type { Clinic } from '../support/clinic.js';
import type { Calls } from './ingestion-calls.js';

const REPORTS = '/api/v1/audit/reports';

/** The reports on one thing of the ledger; `METHOD path` as in the route table. */
export function reportsCalls(clinicOf: () => Clinic): Record<string, Calls> {
  const calls = (path: string): Calls => ({
    success: async (by) => by.post(path, { type: 'case', id: (await clinicOf().openCase()).caseId }),
    failure: (by) => by.post(path, { type: 'case', id: newId() }),
  });
  return Object.fromEntries(
    [`${REPORTS}/access`, `${REPORTS}/disclosures`].map((path) => [`POST ${path}`, calls(path)]),
  );
}
