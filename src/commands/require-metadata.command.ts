import { z } from 'zod';
import { requiredMetadataSchema } from '../modules/metadata/metadata.schemas.js';
import { ConfigError, configSchema } from '../platform/config/config.schema.js';
import { asOperator } from '../operator.js';

/**
 * `scandock require-metadata <organization id> [attribute ...]`: what every order of the organization must have before it
 * is complete, by DICOM keyword or tag. None takes the requirement away.
 */
export async function requireMetadata(): Promise<void> {
  const [id, ...attributes] = process.argv.slice(3);
  const organizationId = z.uuid().safeParse(id);
  const required = requiredMetadataSchema.safeParse(attributes);
  const url = configSchema.shape.DATABASE_URL.safeParse(process.env.DATABASE_URL);
  const problems = [
    ...(organizationId.success ? [] : ['usage: scandock require-metadata <organization id> [attribute ...]']),
    ...(required.success
      ? []
      : required.error.issues.map(({ path, message }) => `${attributes[Number(path[0])] ?? ''}: ${message}`)),
    ...(url.success ? [] : ['DATABASE_URL is required: the address of the database, as scandock_app']),
  ];
  if (!organizationId.success || !required.success || !url.success) throw new ConfigError(problems);
  const known = await asOperator(url.data, (organizations) =>
    organizations.requireMetadata(organizationId.data, required.data),
  );
  if (!known) throw new ConfigError([`there is no organization ${organizationId.data}`]);
  process.stdout.write(
    `${JSON.stringify({ organizationId: organizationId.data, requiredMetadata: required.data }, null, 2)}\n`,
  );
}
