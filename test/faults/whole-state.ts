import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { eventually } from '../support/client.js';
import type { World } from '../support/world.js';

/** That a credential was shown is noted whatever comes of it: it says nothing about what was asked for. */
const NOTED: Columns = { api_key: ['last_used_at'], client_key: ['last_used_at'] };

/** By table. */
type Columns = Record<string, string[]>;

/**
 * A digest of each table of the application, of all tenants and none, and every object of the bucket.
 * @param but columns that do not count
 */
export async function wholeState({ admin, s3 }: World, but: Columns = {}): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  const { rows: tables } = await admin.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  for (const { name } of tables) {
    const left = [...(NOTED[name] ?? []), ...(but[name] ?? [])];
    const row = left.length > 0 ? `(to_jsonb(t) - '{${left.join()}}'::text[])::text` : 't::text';
    const { rows } = await admin.query<{ digest: string }>(
      `SELECT count(*) || ' ' || md5(coalesce(string_agg(${row}, E'\\n' ORDER BY ${row}), '')) AS digest FROM "${name}" t`,
    );
    state[name] = rows[0]!.digest;
  }
  for (let token: string | undefined, more = true; more; more = token !== undefined) {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: 'scandock', ContinuationToken: token }));
    for (const { Key, ETag, Size } of page.Contents ?? []) state[`object ${Key}`] = `${Size} ${ETag}`;
    token = page.NextContinuationToken;
  }
  return state;
}

/** The same, once nothing changes any more by itself. */
export async function settledState(world: World, but: Columns = {}): Promise<Record<string, string>> {
  let former = '';
  let state = {};
  await eventually(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      state = await wholeState(world, but);
      const same = JSON.stringify(state) === former;
      former = JSON.stringify(state);
      return same;
    },
    (same) => same,
    120_000,
  );
  return state;
}
