import { WRONG_MASTER_KEY } from '../modules/auth/key-rotation.service.js';
import { ConfigError, configSchema } from '../platform/config/config.schema.js';
import { asKeyOperator } from '../operator.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock rotate-signing-key [--now]';

/**
 * `scandock rotate-signing-key [--now]`: the keys that sign access tokens get a successor. It signs in five minutes, and no
 * token ends; with `--now`, for a key that has leaked, it signs at once and all tokens end. Prints what becomes of which key.
 */
export async function rotateSigningKey(): Promise<void> {
  const { values } = readArguments(USAGE, { options: { now: { type: 'boolean', default: false } } });
  const masterKey = configSchema.shape.SCANDOCK_MASTER_KEY.safeParse(process.env.SCANDOCK_MASTER_KEY);
  const url = readDatabaseUrl(
    masterKey.success ? [] : ['SCANDOCK_MASTER_KEY is required: the one of the API processes'],
  );
  const rotation = await asKeyOperator(url, masterKey.data!, (keys) =>
    keys.rotate({ atOnce: values.now }),
  ).catch((error: unknown) => {
    if (!(error instanceof Error && error.message === WRONG_MASTER_KEY)) throw error;
    throw new ConfigError([WRONG_MASTER_KEY]);
  });
  process.stdout.write(`${JSON.stringify(rotation, null, 2)}\n`);
}
