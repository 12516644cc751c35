import { createApi } from '../api.js';
import { createDocument } from '../documentation.js';
import { configSchema } from '../platform/config/config.schema.js';

/** `scandock openapi`: the document as the running API serves it, without any server. */
export async function openapi(): Promise<void> {
  const nowhere = configSchema.parse({
    SCANDOCK_MASTER_KEY: '0'.repeat(64),
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nowhere',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY_ID: 'unused',
    S3_SECRET_ACCESS_KEY: 'unused',
    LOG_LEVEL: 'silent',
  });
  const { app } = await createApi(nowhere);
  const document = JSON.stringify(createDocument(app), null, 2);
  await new Promise((resolve) => process.stdout.write(`${document}\n`, resolve));
  process.exit(0); // the queue keeps looking for its server
}
