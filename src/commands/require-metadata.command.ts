import { z } from 'zod';
import { requiredMetadataSchema } from '../modules/metadata/metadata.schemas.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { asOperator } from '../operator.js';
import { readDatabaseUrl } from './operator-input.js';

/**
 * `scandock require-metadata <organization id> [attribute ...]`: what every order of the organization must have before it
 * is complete, by DICOM keyword or tag. None takes the requirement away.
 */
export async function requireMetadata(): Promise<void> {
  const [id, ...attributes] = process.argv.slice(3);
  const named = z.uuid().safeParse(id);
  const required = requiredMetadataSchema.safeParse(attributes);
  const url = readDatabaseUrl([
    ...(named.success ? [] : ['usage: scandock require-metadata <organization id> [attribute ...]']),
    ...(required.success
      ? []
      : required.error.issues.map(({ path, message }) => `${attributes[Number(path[0])] ?? ''}: ${message}`)),
  ]);
  const [organizationId, requiredMetadata] = [named.data!, required.data!];
  const known = await asOperator(url, (organizations) =>
    organizations.requireMetadata(organizationId, requiredMetadata),
  );
  if (!known) throw new ConfigError([`there is no organization ${organizationId}`]);
  process.stdout.write(`${JSON.stringify({ organizationId, requiredMetadata }, null, 2)}\n`);
}
