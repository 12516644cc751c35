import { rmSync } from 'node:fs';

export default async function tearDown() {
  await globalThis.testServer.server.stop();
  rmSync(globalThis.testServer.folder, { recursive: true, force: true });
}
