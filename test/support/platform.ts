import type { Pool } from 'pg';
import { PLATFORM_ORGANIZATION } from '../../src/platform/authorization/platform-organization.js';
import { ADMIN, Admin } from './admin.js';
import { type Answer, tokenFor } from './client.js';
import type { Tenant, World } from './world.js';

/** Of the platform's owner: below {@link ORGANIZATIONS} are organizations of anybody. */
export const ORGANIZATIONS = `${ADMIN}/organizations`;

/** A client of the platform's organization that manages all others. */
export async function platformOwner(world: World): Promise<Admin> {
  return new Admin(world.baseUrl, await tokenFor(world.baseUrl, await platformClient(world)));
}

/** Its credentials, as a tenant's are. */
export async function platformClient(
  world: World,
): Promise<Pick<Tenant, 'organizationId' | 'clientId' | 'clientSecret'>> {
  const made = await world.organizations.createPlatformOwner('Platform owner');
  return { organizationId: PLATFORM_ORGANIZATION, ...made };
}

interface Told {
  organization_id: string;
  actor_kind: string;
  action: string;
  outcome: string;
  resource_id: string;
  detail: Record<string, unknown>;
}

/** What the ledgers tell of a call, by the organization whose ledger it is. */
export async function toldOf(admin: Pool, answer: Answer): Promise<Record<string, Told>> {
  const { rows } = await admin.query<Told>(
    'SELECT organization_id, actor_kind, action, outcome, resource_id, detail FROM audit_event WHERE request_id = $1',
    [answer.headers.get('x-request-id')],
  );
  return Object.fromEntries(rows.map((row) => [row.organization_id, row]));
}
