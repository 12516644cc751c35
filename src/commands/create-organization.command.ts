import { emailSchema } from '../modules/auth/contact.schemas.js';
import { asOperator } from '../operator.js';
import { SCOPES } from '../platform/authorization/scopes.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock create-organization <name> [--owner <email>]';

/**
 * `scandock create-organization <name>`: prints the ids and the owner client's secret as JSON; it is told this once. With
 * `--owner` somebody of staff owns it instead, who signs in by a code sent to that address, and there is no secret.
 */
export async function createOrganization(): Promise<void> {
  const { name, owner } = readTenant();
  const made = await asOperator(readDatabaseUrl(), async (organizations) => {
    if (owner) {
      const somebody = { email: owner, firstName: '', lastName: '' };
      return { organizationId: await organizations.createOrganization(name, somebody) };
    }
    const organizationId = await organizations.createOrganization(name);
    const client = await organizations.createClient({
      organizationId,
      name: 'Owner',
      role: 'owner',
      scopes: SCOPES,
    });
    return { organizationId, ...client };
  });
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
}

function readTenant(): { name: string; owner?: string } {
  const { positionals, values } = readArguments(USAGE, {
    options: { owner: { type: 'string' } },
    allowPositionals: true,
  });
  const name = positionals.join(' ').trim();
  if (!name) throw new ConfigError([USAGE]);
  if (values.owner === undefined) return { name };
  const owner = emailSchema.safeParse(values.owner);
  if (!owner.success) throw new ConfigError(['--owner must be an e-mail address', USAGE]);
  return { name, owner: owner.data };
}
