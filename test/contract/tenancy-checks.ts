import type { ClientBase, Pool } from 'pg';

/** A database, or the one transaction of it in which something was planted. */
export type Schema = Pick<Pool | ClientBase, 'query'>;

/** Tables that belong to no tenant, and why: nothing may join them without somebody writing it here. */
const NO_TENANT: Record<string, string> = {
  organization: 'is the tenant: by its own id',
  audit_key: 'the deployment’s; private halves are sealed under the master key',
  audit_seal: 'hashes over all organizations, and signatures',
  audit_anchor: 'numbers of those, and times',
  signing_key: 'the deployment’s; private halves are sealed under the master key',
  _prisma_migrations: 'the migrator’s; no process of ours may read it',
};

const UNPROTECTED = ['audit_anchor', 'audit_key', 'audit_seal', 'signing_key', '_prisma_migrations'];

const TENANT_POLICY = (column: string) =>
  `(${column} = (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid)`;

interface Table {
  name: string;
  partition: boolean;
  tenant: boolean;
  enabled: boolean;
  forced: boolean;
}

interface Policy {
  tablename: string;
  policyname: string;
  permissive: string;
  roles: string;
  cmd: string;
  qual: string | null;
  with_check: string | null;
}

async function all<Row extends object>(schema: Schema, sql: string): Promise<Row[]> {
  return (await schema.query<Row>(sql)).rows;
}

/** Whatever rows can be read from: tables, partitions, views. A view reads as its owner, so there is none. */
export const tablesOf = (schema: Schema): Promise<Table[]> =>
  all(
    schema,
    `SELECT c.relname AS name, c.relispartition AS partition, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
            EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id'
                    AND a.attnotnull AND a.atttypid = 'uuid'::regtype) AS tenant
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f', 'v') ORDER BY 1`,
  );

/** Tables without a tenant that nobody has said why of, and those of which it was said for nothing. */
export async function tablesOfUnclearTenant(schema: Schema): Promise<string[]> {
  const without = (await tablesOf(schema)).filter(({ tenant }) => !tenant).map(({ name }) => name);
  const named = Object.keys(NO_TENANT);
  return [
    ...without.filter((name) => !named.includes(name)),
    ...named.filter((name) => !without.includes(name)),
  ];
}

/** Tables, each partition for itself, that do not hold their rows back from everybody, their owner included. */
export async function tablesWithoutRowSecurity(schema: Schema): Promise<string[]> {
  return (await tablesOf(schema))
    .filter(({ name, enabled, forced }) => !UNPROTECTED.includes(name) && !(enabled && forced))
    .map(({ name }) => name);
}

const policiesOf = (schema: Schema): Promise<Policy[]> =>
  all(schema, 'SELECT *, roles::text AS roles FROM pg_policies ORDER BY tablename, policyname');

/** Tables without the one policy that holds for every command and every role, or whose policy of that name is another. */
export async function tablesWithoutTheirPolicy(schema: Schema): Promise<string[]> {
  const [tables, policies] = [await tablesOf(schema), await policiesOf(schema)];
  const bound = new Set(policies.filter(isTenantPolicy).map(({ tablename }) => tablename));
  return tables.map(({ name }) => name).filter((name) => !UNPROTECTED.includes(name) && !bound.has(name));
}

/** `with_check` absent stands for the same condition. */
const isTenantPolicy = ({ tablename, policyname, permissive, roles, cmd, qual, with_check }: Policy) =>
  policyname === 'tenant' &&
  permissive === 'PERMISSIVE' &&
  roles === '{public}' &&
  cmd === 'ALL' &&
  qual === TENANT_POLICY(tablename === 'organization' ? 'id' : 'organization_id') &&
  with_check === null;

/** Policies besides it: each of them lets somebody see more. */
export async function otherPolicies(schema: Schema): Promise<Policy[]> {
  return (await policiesOf(schema)).filter(({ policyname }) => policyname !== 'tenant');
}

/** Foreign keys by which a row could refer to one of another organization. */
export async function keysWithoutOrganization(schema: Schema): Promise<string[]> {
  const keys = await foreignKeysOf(schema);
  return keys
    .filter(({ parent, columns, parents }) => {
      const own = parent === 'organization' ? 'id' : 'organization_id';
      return parents[columns.indexOf('organization_id')] !== own;
    })
    .map(({ name }) => name);
}

export const foreignKeysOf = (
  schema: Schema,
): Promise<{ name: string; parent: string; columns: string[]; parents: string[] }[]> =>
  all(
    schema,
    `SELECT k.conname AS name, k.confrelid::regclass::text AS parent,
            (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY AS c(n, o)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.n) AS columns,
            (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY AS c(n, o)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.n) AS parents
     FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`,
  );
