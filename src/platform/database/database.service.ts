import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { Prisma, PrismaClient } from '../../generated/prisma/client.js';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { runSqlTransaction, type SqlTransaction, sqlTypes } from './sql-transaction.js';
import { SteadyClient } from './steady-client.js';

/** A transaction inside one organization. */
export type Transaction = Prisma.TransactionClient;

/** Longest a transaction may take, and longest it may wait for a connection, in milliseconds. */
const TRANSACTION_LIMITS = { timeout: 30_000, maxWait: 10_000 };

/** Longest a statement may wait for somebody else's lock: those who wait hold a connection that others need. */
const LOCK_LIMIT_MS = 3_000;

/** Deadlocks and serialization failures leave nothing behind: the same work is tried again this often in all. */
const MAX_ATTEMPTS = 3;

@Injectable()
export class DatabaseService implements OnApplicationShutdown {
  private readonly prisma: PrismaClient;
  private readonly pool: Pool;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    const pool = {
      connectionString: config.DATABASE_URL,
      max: config.DATABASE_POOL_SIZE,
      Client: SteadyClient,
      connectionTimeoutMillis: 5_000,
      // Whatever hangs must end: a lost worker's locks, a query nobody waits for any more.
      statement_timeout: TRANSACTION_LIMITS.timeout,
      lock_timeout: LOCK_LIMIT_MS,
      idle_in_transaction_session_timeout: 2 * TRANSACTION_LIMITS.timeout,
    };
    this.prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
    this.pool = new Pool({ ...pool, types: sqlTypes });
    this.pool.on('error', () => undefined); // an idle connection was lost; the next query opens another
  }

  /**
   * The one seam into a tenant's rows: a transaction whose row-level security is set to `organizationId`. Committed
   * when `work` resolves, rolled back when it throws. Do no network I/O but the database's inside: after a deadlock
   * `work` runs again.
   */
  withOrganization<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return retried(() =>
      this.prisma.$transaction(async (tx) => {
        await tx.$queryRaw`SELECT set_config('app.organization_id', ${organizationId}, true)`;
        return work(tx);
      }, TRANSACTION_LIMITS),
    );
  }

  /** The same for reading: all statements see the rows as they stood at the first one, so that what is told together fits. */
  readOrganization<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.prisma.$transaction(
      async (tx) => {
        await tx.$queryRaw`SELECT set_config('app.organization_id', ${organizationId}, true)`;
        return work(tx);
      },
      { ...TRANSACTION_LIMITS, isolationLevel: 'RepeatableRead' },
    );
  }

  /**
   * Within a transaction of one organization: `work` in another one, and back. For what must commit in both or in neither,
   * such as the event of what the platform's owner does to a tenant. Row-level security binds to one of them at a time. What
   * `work` throws must end the transaction.
   */
  async within<T>(tx: Transaction, organizationId: string, work: () => Promise<T>): Promise<T> {
    const [former] = await tx.$queryRaw<{ id: string }[]>`
      SELECT current_setting('app.organization_id') AS id`;
    await tx.$queryRaw`SELECT set_config('app.organization_id', ${organizationId}, true)`;
    const result = await work();
    await tx.$queryRaw`SELECT set_config('app.organization_id', ${former!.id}, true)`;
    return result;
  }

  /** The same seam for the statements every object passes through: raw SQL on `pg`, without Prisma's cost. */
  withOrganizationSql<T>(organizationId: string, work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return retried(() => runSqlTransaction(this.pool, organizationId, work));
  }

  /**
   * Outside of any organization: only tables that belong to no tenant, and the SECURITY DEFINER functions that resolve
   * a credential to its organization. Tenant tables show no rows here.
   */
  get outside(): Pick<PrismaClient, '$queryRaw' | '$executeRaw' | 'signingKey'> {
    return this.prisma;
  }

  /** Fails unless we are connected as a role that row-level security binds, and that cannot become another. At boot. */
  async assertConfined(): Promise<void> {
    const [role] = await this.prisma.$queryRaw<{ name: string; exempt: boolean; owns: boolean }[]>`
      SELECT current_user::text AS name,
             EXISTS (SELECT 1 FROM pg_roles r WHERE (r.rolsuper OR r.rolbypassrls) AND pg_has_role(r.oid, 'MEMBER')) AS exempt,
             EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND pg_has_role(c.relowner, 'MEMBER')) AS owns`;
    if (role && !role.exempt && !role.owns) return;
    throw new Error(
      `DATABASE_URL connects as "${role?.name}", which row-level security does not bind. Use scandock_app (API) or ` +
        'scandock_worker (worker), which `scandock migrate` makes.',
    );
  }

  /** The last phase: requests and jobs under way need the database until they are answered. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.prisma.$disconnect(), this.pool.end()]);
  }
}

async function retried<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await transaction();
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isRollback(error)) throw error;
    }
}

/** SQLSTATE 40001 (serialization failure) or 40P01 (deadlock), as Prisma wraps it. */
function isRollback(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code, meta, originalCode } = at as {
      code?: string;
      meta?: { driverAdapterError?: unknown };
      originalCode?: string;
    };
    if (code === 'P2034' || [code, originalCode].some((state) => state === '40001' || state === '40P01'))
      return true;
    const adapter = meta?.driverAdapterError as
      { cause?: { originalCode?: string; kind?: string } } | undefined;
    if (adapter?.cause?.kind === 'TransactionWriteConflict' || adapter?.cause?.originalCode === '40P01')
      return true;
  }
  return false;
}
