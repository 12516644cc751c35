import { asOperator } from '../operator.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { ApplicationError } from '../platform/errors/application-error.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock create-platform-owner --name <name>';

/** `scandock create-platform-owner`: prints the credentials of a client that manages organizations; they are told this once. */
export async function createPlatformOwner(): Promise<void> {
  const { values } = readArguments(USAGE, { options: { name: { type: 'string' } } });
  const name = values.name?.trim() ?? '';
  const url = readDatabaseUrl(name ? [] : [USAGE]);
  const made = await asOperator(url, (organizations) => organizations.createPlatformOwner(name)).catch(
    (error: unknown) => {
      if (!(error instanceof ApplicationError && error.status === 404)) throw error;
      throw new ConfigError(['the platform has no organization yet: run `scandock migrate` first']);
    },
  );
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
}
