import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { eventually } from '../support/client.js';
import { createWorld, type World } from '../support/world.js';

let world: World;
let bucket: Server;
let asked = 0;
const connections = new Set<Socket>();

beforeAll(async () => {
  // Takes every request, and answers none.
  bucket = createServer((socket) => {
    asked++;
    connections.add(socket);
    socket.on('error', () => undefined).resume();
  });
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve));
  world = await createWorld({
    S3_ENDPOINT: `http://127.0.0.1:${(bucket.address() as AddressInfo).port}`,
    RECONCILE_INTERVAL_MS: '100',
    AUDIT_SEAL_INTERVAL_MS: '200',
  });
  await world.startWorker();
}, 60_000);
afterAll(async () => {
  bucket.close();
  for (const connection of connections) connection.destroy(); // whoever waits for it would wait for minutes
  await world.close();
}, 60_000);

it('goes on sealing while the bucket hangs', async () => {
  const seals = async () =>
    (await world.admin.query<{ count: number }>('SELECT count(*)::int AS count FROM audit_seal')).rows[0]!
      .count;
  await eventually(
    () => Promise.resolve(asked),
    (times) => times > 0,
  );
  const before = await seals();
  expect(await eventually(seals, (count) => count >= before + 5)).toBeGreaterThan(before);
});
