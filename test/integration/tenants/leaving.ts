import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Answer } from '../../support/client.js';
import { eventually } from '../../support/client.js';
import type { Admin } from '../../support/admin.js';
import { ORGANIZATIONS } from '../../support/platform.js';
import type { World } from '../../support/world.js';
import { tenantTables } from '../../contract/tenants.js';

/** An organization on its way out, as the platform's owner sees it. */
export class Leaving {
  constructor(
    private readonly world: World,
    private readonly platform: Admin,
    readonly id: string,
    private readonly s3: S3Client = world.s3,
  ) {}

  private at = (path: string) => `${ORGANIZATIONS}/${this.id}${path}`;
  request = (): Promise<Answer> => this.platform.post(this.at('/deletion'), {});
  deletion = (): Promise<Answer> => this.platform.get(this.at('/deletion'));
  cancel = (): Promise<Answer> => this.platform.delete(this.at('/deletion'));
  purge = (name = 'Tenant'): Promise<Answer> => this.platform.post(this.at('/purge'), { name });
  enable = (): Promise<Answer> => this.platform.post(this.at('/enable'));
  view = async (): Promise<{ state: string; name: string }> => (await this.platform.get(this.at(''))).body;

  /** Waits until its deletion has that state. */
  async reaches(state: string): Promise<Answer['body']> {
    const { body } = await eventually(
      () => this.deletion(),
      (answer) => answer.body.state === state,
    );
    return body;
  }

  /** Rows by table, but for the ledger, which goes on. */
  async counts(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of await tenantTables(this.world.admin)) {
      if (table.startsWith('audit_') && table !== 'audit_event') continue;
      const { rows } = await this.world.admin.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM "${table}" WHERE organization_id = $1`,
        [this.id],
      );
      counts[table] = rows[0]!.count;
    }
    return counts;
  }

  /** What of it lies in the bucket. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for (const prefix of ['staging', 'objects', 'exports']) {
      const request = { Bucket: 'scandock', Prefix: `${prefix}/${this.id}/` };
      const { Contents = [] } = await this.s3.send(new ListObjectsV2Command(request));
      keys.push(...Contents.map(({ Key }) => Key!));
    }
    return keys;
  }
}

/** A file of NDJSON, and its digest as it was fetched. */
export async function fetchLines(url: string): Promise<{ lines: any[]; text: string; sha256: string }> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`GET export: ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = gunzipSync(bytes).toString();
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { lines, text, sha256: createHash('sha256').update(bytes).digest('hex') };
}
