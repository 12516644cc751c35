import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { LedgerOwner } from '../modules/audit/retention/ledger-owner.js';
import { monthNamed } from '../modules/audit/retention/month.js';
import { RetirementRefused } from '../modules/audit/retention/retirement.errors.js';
import { KeySetError, readKeySet } from '../modules/audit/verification/key-set.js';
import { asRetirementOperator } from '../operator.js';
import { ConfigError, type ConfigValues, parseConfig } from '../platform/config/config.schema.js';
import { asOwner } from '../platform/database/owner-connection.js';
import { RETIRE_USAGE } from './audit-retire.usage.js';

/** For who gives the public keys: nothing is opened with this one, and no key is told to be ours. */
const NO_MASTER_KEY = '0'.repeat(64);

/**
 * `scandock audit retire <YYYY-MM>`: takes a month out of the ledger, once an export of it was proven for every organization;
 * with `--drop`, later, drops what is left of it. Prints what became of it as JSON. Exit code 1 when it was refused.
 */
export async function auditRetire(args: string[]): Promise<void> {
  const { month, requestExports, drop, keysFile } = readOptions(args);
  const { adminUrl, config } = readEnvironment(keysFile !== undefined);
  try {
    const keys = keysFile === undefined ? undefined : await readKeySet(readFileSync(keysFile, 'utf8'));
    const outcome = await asRetirementOperator(config, (retirement) =>
      asOwner(adminUrl, (client) => {
        const owner = new LedgerOwner(client);
        return drop
          ? retirement.drop(owner, month, { keys })
          : retirement.retire(owner, month, { requestExports, keys });
      }),
    );
    process.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`);
  } catch (error) {
    const why =
      error instanceof RetirementRefused
        ? error.message
        : error instanceof KeySetError ||
            (keysFile !== undefined && (error as NodeJS.ErrnoException).path === keysFile)
          ? `--keys: ${(error as Error).message}`
          : undefined;
    if (why === undefined) throw error;
    process.stderr.write(`scandock audit retire: ${why}\n`);
    process.exitCode = 1;
  }
}

function readOptions(args: string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const options = { 'request-exports': flag, drop: flag, keys: { type: 'string' } } as const;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const [name, ...others] = positionals;
    const month = monthNamed(name ?? '');
    if (month && others.length === 0 && !(values.drop && values['request-exports']))
      return { month, requestExports: values['request-exports'], drop: values.drop, keysFile: values.keys };
  } catch {
    // said below
  }
  throw new ConfigError([RETIRE_USAGE]);
}

/** @throws ConfigError */
function readEnvironment(withKeys: boolean): { adminUrl: string; config: ConfigValues } {
  const adminUrl = z.url({ protocol: /^postgres(ql)?$/ }).safeParse(process.env.DATABASE_ADMIN_URL);
  if (!adminUrl.success)
    throw new ConfigError(['DATABASE_ADMIN_URL is required: the database by the role that migrates it']);
  return {
    adminUrl: adminUrl.data,
    config: parseConfig({
      ...(withKeys && { SCANDOCK_MASTER_KEY: NO_MASTER_KEY }),
      ...process.env,
      DATABASE_POOL_SIZE: '2',
    }),
  };
}
