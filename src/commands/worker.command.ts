import { parseConfig } from '../platform/config/config.schema.js';
import { runWorker } from '../worker.js';
import { closeOnSignals, reportReady } from './lifecycle.js';
import { waitForDatabase } from './wait-for-database.js';

export async function worker(): Promise<void> {
  const config = parseConfig(process.env);
  let app: { close(): Promise<void> } | undefined;
  closeOnSignals(async () => app?.close()); // from the start: the launcher may end while we wait
  await waitForDatabase(config.DATABASE_URL);
  app = await runWorker(config);
  reportReady();
}
