import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { asOperator } from '../operator.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { bootstrapDatabase } from '../platform/database/bootstrap.js';
import { QUEUES } from '../platform/queue/queues.js';

export const MIGRATIONS_DIR = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

const migrateSchema = z.object({
  /** A role that may create roles and the database. */
  DATABASE_ADMIN_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  SCANDOCK_APP_PASSWORD: z.string().min(16),
  SCANDOCK_WORKER_PASSWORD: z.string().min(16),
  REDIS_URL: z.string().optional(),
});

/** `scandock migrate`: safe to repeat, and to run while the former version serves. */
export async function migrate(): Promise<void> {
  const result = migrateSchema.safeParse(process.env);
  if (!result.success)
    throw new ConfigError(result.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`));
  const { DATABASE_ADMIN_URL, SCANDOCK_APP_PASSWORD, SCANDOCK_WORKER_PASSWORD, REDIS_URL } = result.data;
  const applied = await prepareDatabase({
    adminUrl: DATABASE_ADMIN_URL,
    passwords: { app: SCANDOCK_APP_PASSWORD, worker: SCANDOCK_WORKER_PASSWORD },
    queues: REDIS_URL ? [] : QUEUES,
  });
  process.stdout.write(applied.length > 0 ? `Applied: ${applied.join(', ')}\n` : 'Nothing to apply.\n');
}

/** Roles, migrations, and the built-in roles of every organization. Returns the migrations that were applied. */
export async function prepareDatabase(given: {
  adminUrl: string;
  passwords: { app: string; worker: string };
  queues: string[];
}): Promise<string[]> {
  const { applied } = await bootstrapDatabase({ ...given, migrationsDir: MIGRATIONS_DIR });
  await asOperator(roleUrl(given.adminUrl, 'scandock_worker', given.passwords.worker), (organizations) =>
    organizations.refreshBuiltInRoles(),
  );
  return applied;
}

/** The same server and database, as another role. */
export function roleUrl(adminUrl: string, role: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = encodeURIComponent(password);
  return url.toString();
}
