import { z } from 'zod';
import { ApplicationError } from '../platform/errors/application-error.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { asOperator } from '../operator.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock create-portal-key --organization <id> [--name <name>]';

/** `scandock create-portal-key`: prints the key of a patients' app as JSON; only its hash is kept. */
export async function createPortalKey(): Promise<void> {
  const { values } = readArguments(USAGE, {
    options: { organization: { type: 'string' }, name: { type: 'string', default: 'Portal' } },
  });
  const { name } = values;
  const { data: organizationId = '' } = z.uuid().safeParse(values.organization);
  const url = readDatabaseUrl(organizationId && name ? [] : [USAGE]);
  const portalApiKey = await asOperator(url, (organizations) =>
    organizations.createPortalKey({ organizationId, name }),
  ).catch((error: unknown) => {
    if (!(error instanceof ApplicationError && error.status === 404)) throw error;
    throw new ConfigError([`there is no organization ${organizationId}`]);
  });
  process.stdout.write(`${JSON.stringify({ organizationId, portalApiKey }, null, 2)}\n`);
}
