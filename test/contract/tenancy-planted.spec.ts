import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { PoolClient } from 'pg';
import { type Stack, startStack } from '../support/stack.js';
import {
  keysWithoutOrganization,
  otherPolicies,
  type Schema,
  tablesOfUnclearTenant,
  tablesWithoutRowSecurity,
  tablesWithoutTheirPolicy,
} from './tenancy-checks.js';

/** What the real schema is held against (tenancy-schema.spec.ts), by what it is for. */
const CHECKS: Record<string, (schema: Schema) => Promise<string[]>> = {
  tenant: tablesOfUnclearTenant,
  'row security': tablesWithoutRowSecurity,
  policy: tablesWithoutTheirPolicy,
  'other policy': async (schema) =>
    (await otherPolicies(schema)).map(({ tablename, policyname }) => `${tablename} ${policyname}`),
  key: keysWithoutOrganization,
};

/** A table as a migration should make it. */
const TABLE = (columns = '') => `
  CREATE TABLE planted (id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organization (id)${columns});`;
const SECURITY = `
  ALTER TABLE planted ENABLE ROW LEVEL SECURITY;
  ALTER TABLE planted FORCE ROW LEVEL SECURITY;`;
const POLICY = `
  CREATE POLICY tenant ON planted
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);`;

let stack: Stack;
let client: PoolClient;
let clean: Record<string, string[]>;

beforeAll(async () => {
  stack = await startStack();
  client = await stack.admin.connect();
  clean = await findings();
});
afterAll(async () => {
  client.release();
  await stack.close();
});

async function findings(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const [name, check] of Object.entries(CHECKS)) found[name] = await check(client);
  return found;
}

/** What the checks say of a schema with `sql` that they do not say of the real one. */
async function reported(sql: string): Promise<Record<string, string[]>> {
  await client.query('BEGIN');
  try {
    await client.query(sql);
    const news = Object.entries(await findings()).map(
      ([name, found]) => [name, found.filter((item) => !clean[name]!.includes(item))] as const,
    );
    return Object.fromEntries(news.filter(([, found]) => found.length > 0));
  } finally {
    await client.query('ROLLBACK');
  }
}

it('finds nothing wrong with the schema, nor with a table that is made as it should be', async () => {
  const { 'other policy': known, ...rest } = clean;
  expect(rest).toEqual({ tenant: [], 'row security': [], policy: [], key: [] });
  expect(known!.length).toBeGreaterThan(0); // the resolvers’ and sweepers’, which the other spec names one by one
  expect(await reported(TABLE() + SECURITY + POLICY)).toEqual({});
});

it.each<[string, string, Record<string, string[]>]>([
  [
    'a table that nothing was done for',
    'CREATE TABLE planted (id uuid PRIMARY KEY);',
    { tenant: ['planted'], 'row security': ['planted'], policy: ['planted'] },
  ],
  [
    'a table with row-level security and no policy, which shows nobody anything until somebody mends it in haste',
    TABLE() + SECURITY,
    { policy: ['planted'] },
  ],
  ['a policy that nothing enforces', TABLE() + POLICY, { 'row security': ['planted'] }],
  [
    'a table whose owner is not bound',
    `${TABLE()}${SECURITY}${POLICY} ALTER TABLE planted NO FORCE ROW LEVEL SECURITY;`,
    { 'row security': ['planted'] },
  ],
  [
    'a real table that is no longer bound',
    'ALTER TABLE exam NO FORCE ROW LEVEL SECURITY;',
    { 'row security': ['exam'] },
  ],
  [
    'an organization that may be missing',
    `${TABLE()}${SECURITY}${POLICY} ALTER TABLE planted ALTER organization_id DROP NOT NULL;`,
    { tenant: ['planted'] },
  ],
  [
    'an organization that is not a UUID',
    `CREATE TABLE planted (id uuid PRIMARY KEY, organization_id text NOT NULL);${SECURITY}`,
    { tenant: ['planted'], policy: ['planted'] },
  ],
  [
    'an exception that is none any more',
    'ALTER TABLE signing_key ADD COLUMN organization_id uuid NOT NULL;',
    { tenant: ['signing_key'] },
  ],
  [
    'a view, which reads as its owner',
    'CREATE VIEW planted AS SELECT * FROM exam;',
    { tenant: ['planted'], 'row security': ['planted'], policy: ['planted'] },
  ],
  [
    'a materialized view, which has no policies',
    'CREATE MATERIALIZED VIEW planted AS SELECT * FROM exam;',
    { tenant: ['planted'], 'row security': ['planted'], policy: ['planted'] },
  ],
  [
    'a partition that nothing was done for: the table’s own policy does not hold where it is read by itself',
    `CREATE TABLE planted PARTITION OF audit_event FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');`,
    { 'row security': ['planted'], policy: ['planted'] },
  ],
  [
    'a partition whose owner is not bound',
    `CREATE TABLE planted PARTITION OF audit_event FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
     ALTER TABLE planted ENABLE ROW LEVEL SECURITY;${POLICY}`,
    { 'row security': ['planted'] },
  ],
  [
    'a policy that lets everything through',
    `${TABLE()}${SECURITY} CREATE POLICY tenant ON planted USING (true);`,
    { policy: ['planted'] },
  ],
  [
    'a policy that shows what is one’s own and takes what is not',
    `${TABLE()}${SECURITY} CREATE POLICY tenant ON planted
     USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid) WITH CHECK (true);`,
    { policy: ['planted'] },
  ],
  [
    'a policy for reading only',
    `${TABLE()}${SECURITY} CREATE POLICY tenant ON planted FOR SELECT
     USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);`,
    { policy: ['planted'] },
  ],
  [
    'a policy for one role only',
    `${TABLE()}${SECURITY} CREATE POLICY tenant ON planted TO scandock_worker
     USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);`,
    { policy: ['planted'] },
  ],
  [
    'a second policy, since one that allows is enough',
    `${TABLE()}${SECURITY}${POLICY} CREATE POLICY support ON planted FOR SELECT TO scandock_app USING (true);`,
    { 'other policy': ['planted support'] },
  ],
  [
    'a foreign key without the organization',
    TABLE(', exam_id uuid CONSTRAINT planted_exam REFERENCES exam (id)') + SECURITY + POLICY,
    { key: ['planted_exam'] },
  ],
  [
    'a foreign key from a real table',
    `ALTER TABLE result ADD COLUMN planted_id uuid, ADD CONSTRAINT planted_case
     FOREIGN KEY (planted_id) REFERENCES patient_case (id);`,
    { key: ['planted_case'] },
  ],
  [
    'a foreign key that has the organization in the wrong place',
    `CREATE UNIQUE INDEX planted_pair ON exam (id, organization_id);
     ${TABLE(`, exam_id uuid,
       CONSTRAINT planted_crossed FOREIGN KEY (organization_id, exam_id) REFERENCES exam (id, organization_id)`)}
     ${SECURITY}${POLICY}`,
    { key: ['planted_crossed'] },
  ],
])('reports %s', async (_, sql, expected) => {
  expect(await reported(sql)).toEqual(expected);
});

it('leaves nothing of what was planted', async () => {
  expect(await findings()).toEqual(clean);
});
