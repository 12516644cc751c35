import { SCOPES } from '../platform/authorization/scopes.js';
import { ConfigError, configSchema } from '../platform/config/config.schema.js';
import { asOperator } from '../operator.js';

/** `scandock create-organization <name>`: prints the ids and the owner client's secret as JSON; it is told this once. */
export async function createOrganization(): Promise<void> {
  const name = process.argv[3]?.trim();
  if (!name) throw new ConfigError(['usage: scandock create-organization <name>']);
  const url = configSchema.shape.DATABASE_URL.safeParse(process.env.DATABASE_URL);
  if (!url.success)
    throw new ConfigError(['DATABASE_URL is required: the address of the database, as scandock_app']);
  const made = await asOperator(url.data, async (organizations) => {
    const organizationId = await organizations.createOrganization(name);
    const owner = await organizations.createClient({
      organizationId,
      name: 'Owner',
      role: 'owner',
      scopes: SCOPES,
    });
    return { organizationId, ...owner };
  });
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
}
