import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Pool } from 'pg';
import { freePort } from '../../src/platform/embedded/local-state.js';
import { OwnProcess } from '../support/processes.js';
import type { World } from '../support/world.js';

/** Throws when one of the words stands in one of the texts, in whatever form. */
export function expectNothingOf(what: Record<string, string>, texts: string[]): void {
  for (const [name, secret] of Object.entries(what))
    for (const form of new Set([
      secret,
      encodeURIComponent(secret),
      secret.toLowerCase(),
      secret.toUpperCase(),
    ]))
      for (const text of texts)
        if (text.includes(form)) throw new Error(`${name} stands in: ${text.slice(0, 2000)}`);
}

/** Every row of a table, as text. */
export async function rowsOf(admin: Pool, table: string): Promise<string[]> {
  const { rows } = await admin.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t`);
  return rows.map(({ row }) => row);
}

/** Tables of a schema, with its name. */
export async function tablesOf(admin: Pool, schema: 'public' | 'bullmq'): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

export async function keysOf({ s3 }: World): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: 'scandock' }));
  return Contents.map(({ Key }) => Key!);
}

/** An API and a worker as they are shipped, which log whatever they can. */
export interface LoudProcesses {
  api: OwnProcess;
  worker: OwnProcess;
  baseUrl: string;
  /** What both say of themselves. */
  metrics(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startLoudly(world: World): Promise<LoudProcesses> {
  const [port, workerMetrics] = [await freePort(0), await freePort(0)];
  const baseUrl = `http://127.0.0.1:${port}`;
  const loud = { LOG_LEVEL: 'debug' };
  const own = { ...loud, PORT: `${port}`, PUBLIC_URL: baseUrl };
  const api = await OwnProcess.start('api', { ...world.environment, ...own });
  const worker = await OwnProcess.start('worker', {
    ...world.workerEnvironment,
    ...loud,
    METRICS_PORT: `${workerMetrics}`,
  });
  return {
    api,
    worker,
    baseUrl,
    metrics: () =>
      Promise.all(
        [port, workerMetrics].map(async (each) => (await fetch(`http://127.0.0.1:${each}/metrics`)).text()),
      ),
    stop: async () => {
      await Promise.all([api.stop(), worker.stop()]);
    },
  };
}
