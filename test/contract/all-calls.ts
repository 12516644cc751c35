import { clinicalCalls } from './clinical-calls.js';
import { credentialsCalls } from './credentials-calls.js';
import { type Call, examCalls } from './exam-calls.js';
import { explainCalls } from './explain-calls.js';
import { exportsCalls } from './exports-calls.js';
import { holdsCalls } from './holds-calls.js';
import { type Calls, ingestionCalls } from './ingestion-calls.js';
import { ledgerCalls } from './ledger-calls.js';
import { oauthCalls } from './oauth-calls.js';
import { peopleCalls } from './people-calls.js';
import { reportsCalls } from './reports-calls.js';
import { rolesCalls } from './roles-calls.js';
import { sealsCalls } from './seals-calls.js';
import { staffCalls } from './staff-calls.js';
import type { Surfaces } from './surfaces.js';
import { tenantsCalls } from './tenants-calls.js';

/** How each audited route of every surface succeeds and how it fails; `METHOD path` as in the route table. */
export function allCalls(of: () => Surfaces): Record<string, { success: Call; failure: Call }> {
  const world = () => of().world;
  const tenant = () => of().tenant;
  const organizationId = () => tenant().organizationId;
  const calls: Record<string, Calls> = {
    ...ingestionCalls(
      () => of().hospital(),
      () => of().anonymous,
    ),
    ...clinicalCalls(
      () => of().clinic,
      () => of().portal,
    ),
    ...oauthCalls(world, tenant),
    ...credentialsCalls(world, tenant),
    ...peopleCalls(),
    ...rolesCalls(world, tenant),
    ...staffCalls(
      () => of().door(),
      () => of().sso,
    ),
    ...explainCalls(world, organizationId),
    ...tenantsCalls(() => of().platform, organizationId),
    ...ledgerCalls(),
    ...exportsCalls(world, organizationId),
    ...holdsCalls(),
    ...sealsCalls((call) => of().without('audit_key', call)),
    ...reportsCalls(() => of().clinic),
  };
  const others = Object.entries(calls).map(
    ([name, { success, failure }]): [string, { success: Call; failure: Call }] => [
      name,
      { success: (_, by) => success(by), failure: (_, by) => failure(by) },
    ],
  );
  return { ...examCalls(of), ...Object.fromEntries(others) };
}

/** The routes of cases, and of a patient's portal. */
export const CLINICAL = Object.keys(
  clinicalCalls(
    () => undefined as never,
    () => undefined as never,
  ),
);
