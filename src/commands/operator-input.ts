import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ConfigError, configSchema } from '../platform/config/config.schema.js';

/** What a command was called with. @throws {ConfigError} with its usage, when it takes no such thing */
export function readArguments<Config extends ParseArgsConfig>(usage: string, config: Config) {
  try {
    return parseArgs({ ...config, args: process.argv.slice(3) });
  } catch {
    throw new ConfigError([usage]);
  }
}

/**
 * All that most of the operator's commands need to be told of the deployment.
 * @param problems what else is wrong, to be said at the same time
 * @param role whom the command connects as
 * @throws {ConfigError}
 */
export function readDatabaseUrl(problems: string[] = [], role = 'scandock_app'): string {
  const { data } = configSchema.shape.DATABASE_URL.safeParse(process.env.DATABASE_URL);
  if (data !== undefined && problems.length === 0) return data;
  const missing = `DATABASE_URL is required: the address of the database, as ${role}`;
  throw new ConfigError([...problems, ...(data === undefined ? [missing] : [])]);
}
