import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { QueueBaseOptions } from 'bullmq';
import { createSteadyBackend } from './steady-backend.js';

const message = (code: string, body: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(code), length, body]);
};
const SIGNED_IN = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const ENDED = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0'));

let server: Server;
let signIns = 0;

beforeAll(async () => {
  // All of it in one packet, as it comes to a process that has much to do.
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      signIns++;
      socket.end(Buffer.concat([SIGNED_IN, READY, ENDED]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

it('survives a connection for listening that is ended as soon as it is there', async () => {
  const { port } = server.address() as AddressInfo;
  const connection = { host: '127.0.0.1', port, user: 'worker', database: 'scandock', ssl: false };
  const backend = createSteadyBackend('uploads', { connection } as unknown as QueueBaseOptions, {
    withBlockingConnection: true,
  });
  const lost: Error[] = [];
  backend.on('error', (error: Error) => lost.push(error)); // as queues and workers do
  await backend.connection.getListenClient().catch((error: Error) => lost.push(error));
  while (lost.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  // The next one is another, not the one that is lost.
  await backend.connection.getListenClient().catch(() => undefined);
  expect(signIns).toBe(2);
  await backend.close();
});
