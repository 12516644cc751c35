import { createDocument } from '../documentation.js';
import { apiWithoutServers } from './api-without-servers.js';

/** `scandock openapi`: the document as the running API serves it, without any server. */
export async function openapi(): Promise<void> {
  const { app } = await apiWithoutServers();
  const document = JSON.stringify(createDocument(app), null, 2);
  await new Promise((resolve) => process.stdout.write(`${document}\n`, resolve));
  process.exit(0);
}
