import { type Api, createApi } from '../api.js';
import { configSchema } from '../platform/config/config.schema.js';

/** The API to look at: it connects to nothing. Whoever is done ends the process, since the queue keeps looking for its server. */
export function apiWithoutServers(): Promise<Api> {
  return createApi(
    configSchema.parse({
      SCANDOCK_MASTER_KEY: '0'.repeat(64),
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nowhere',
      S3_ENDPOINT: 'http://127.0.0.1:1',
      S3_ACCESS_KEY_ID: 'unused',
      S3_SECRET_ACCESS_KEY: 'unused',
      LOG_LEVEL: 'silent',
    }),
  );
}
