import { WrongMasterKey } from '../modules/audit/seal.js';
import { ConfigError, configSchema } from '../platform/config/config.schema.js';
import { asSealKeyOperator } from '../operator.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock rotate-seal-key';

/**
 * `scandock rotate-seal-key`: the key that signs the audit ledger's seals gets a successor, which signs from the next seal on;
 * all keys before it verify for ever. Prints both. Needs the worker's DATABASE_URL: only the worker may keep such keys.
 */
export async function rotateSealKey(): Promise<void> {
  readArguments(USAGE, { options: {} });
  const masterKey = configSchema.shape.SCANDOCK_MASTER_KEY.safeParse(process.env.SCANDOCK_MASTER_KEY);
  const url = readDatabaseUrl(
    masterKey.success ? [] : ['SCANDOCK_MASTER_KEY is required: the one of the worker processes'],
    'scandock_worker',
  );
  const rotation = await asSealKeyOperator(url, masterKey.data!, (keys) => keys.rotate()).catch(
    (error: unknown) => {
      if (error instanceof WrongMasterKey) throw new ConfigError([error.message]);
      if ((error as { code?: string }).code === '42501')
        throw new ConfigError(['DATABASE_URL must be the worker’s (scandock_worker)']);
      throw error;
    },
  );
  process.stdout.write(`${JSON.stringify(rotation, null, 2)}\n`);
}
