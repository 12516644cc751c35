import { parseConfig } from '../platform/config/config.schema.js';
import { runWorker } from '../worker.js';
import { closeOnSignals, reportReady } from './lifecycle.js';
import { waitForDatabase } from './wait-for-database.js';

export async function worker(): Promise<void> {
  const config = parseConfig(process.env);
  await waitForDatabase(config.DATABASE_URL);
  const app = await runWorker(config);
  closeOnSignals(() => app.close());
  reportReady();
}
