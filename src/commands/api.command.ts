import { runApi } from '../api.js';
import { parseConfig } from '../platform/config/config.schema.js';
import { closeOnSignals, reportReady } from './lifecycle.js';
import { waitForDatabase } from './wait-for-database.js';

export async function api(): Promise<void> {
  const config = parseConfig(process.env);
  await waitForDatabase(config.DATABASE_URL);
  const app = await runApi(config);
  closeOnSignals(() => app.close());
  reportReady();
}
