import { createHash } from 'node:crypto';
import { type Pool, type PoolClient, types } from 'pg';
import { isUuid } from './id.js';

/**
 * Raw SQL inside one organization: what a Prisma transaction and {@link runSqlTransaction} have in common, so that the
 * set-based statements of the hot paths run on either.
 */
export interface SqlTransaction {
  /** Rows of a tagged template; every value is a parameter. */
  $queryRaw<T = unknown>(statement: TemplateStringsArray, ...values: unknown[]): Promise<T>;
  /** Number of rows that were changed. */
  $executeRaw(statement: TemplateStringsArray, ...values: unknown[]): Promise<number>;
}

const INT8 = 20;

/** 64-bit integers as BigInt, as Prisma gives them. */
export const sqlTypes: { getTypeParser: typeof types.getTypeParser } = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === INT8 ? BigInt : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
};

/**
 * The same seam as Prisma's, straight through `pg`: a Prisma interactive transaction costs several times as much, which
 * counts where every uploaded object passes (docs/adr/0005). Statements are prepared once a connection.
 */
export async function runSqlTransaction<T>(
  pool: Pool,
  organizationId: string,
  work: (tx: SqlTransaction) => Promise<T>,
): Promise<T> {
  if (!isUuid(organizationId)) throw new TypeError('An organization id is a UUID.');
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    // One round trip; the id is checked above, since the simple protocol takes no parameters.
    await client.query(`BEGIN; SELECT set_config('app.organization_id', '${organizationId}', true)`);
    const result = await work(onClient(client));
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error('The transaction was rolled back.'); // COMMIT of a failed one "succeeds"
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

function onClient(client: PoolClient): SqlTransaction {
  const run = (statement: TemplateStringsArray, values: unknown[]) =>
    client.query({ ...prepared(statement), values });
  return {
    $queryRaw: async <T>(statement: TemplateStringsArray, ...values: unknown[]) =>
      (await run(statement, values)).rows as T,
    $executeRaw: async (statement, ...values) => (await run(statement, values)).rowCount ?? 0,
  };
}

const statements = new WeakMap<TemplateStringsArray, { name: string; text: string }>();

/** A template literal is one object for the life of the program: its text and name are made once. */
function prepared(statement: TemplateStringsArray): { name: string; text: string } {
  let known = statements.get(statement);
  if (!known) {
    const text = statement.reduce((sql, part, index) => `${sql}$${index}${part}`);
    known = { text, name: createHash('sha256').update(text).digest('base64url').slice(0, 22) };
    statements.set(statement, known);
  }
  return known;
}
