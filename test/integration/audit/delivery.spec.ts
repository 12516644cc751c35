import { type AddressInfo, createServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { record } from '../../../src/modules/audit/audit-record.fixture.js';
import { parseXml, schemaProblems } from '../../../src/modules/audit/dicom-audit-message.fixture.js';
import { deliver, type Receiver } from '../../../src/modules/audit/worker/syslog/delivery.js';
import { syslogFrame } from '../../../src/modules/audit/worker/syslog/syslog.message.js';
import { swallower, SyslogReceiver, tlsPem } from '../../support/syslog-receiver.js';

const opened: SyslogReceiver[] = [];
const listen = async (...options: Parameters<typeof SyslogReceiver.listen>) => {
  const receiver = await SyslogReceiver.listen(...options);
  opened.push(receiver);
  return receiver;
};
afterEach(() => Promise.all(opened.splice(0).map((receiver) => receiver.die())));

const to = ({ port }: { port: number }, changes: Partial<Receiver> = {}): Receiver => ({
  host: '127.0.0.1',
  port,
  credentials: { ca: tlsPem('authority.pem') },
  needsCloseNotify: true,
  stallMs: 20_000,
  ...changes,
});
const framesOf = (count: number, size = 0) =>
  Array.from({ length: count }, (_, at) =>
    syslogFrame(record({ userAgent: 'ü'.repeat(size) + at }), {
      source: 'here',
      studyUids: new Map(),
      position: at + 1,
    }),
  );

describe('a delivery', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'over %s has come to its end with everything taken',
    async (version) => {
      const receiver = await listen({ minVersion: version, maxVersion: version });
      await deliver(to(receiver), framesOf(300));
      expect(receiver.messages).toHaveLength(300);
      for (const { text } of receiver.messages) expect(schemaProblems(parseXml(text))).toEqual([]);
    },
  );

  it('is what RFC 5424 and PS3.15 A.6 say', async () => {
    const receiver = await listen();
    const contexts = { source: 'here', studyUids: new Map<string, string>(), position: 7 };
    await deliver(to(receiver), [
      syslogFrame(record(), contexts),
      syslogFrame(record({ outcome: 'denied' }), contexts),
    ]);
    expect(receiver.messages.map((message) => ({ ...message, text: '', host: '' }))).toEqual(
      [85, 84].map((priority) => ({
        priority,
        host: '',
        text: '',
        time: '2026-11-29T12:34:56.789Z',
        app: 'scandock',
        process: String(process.pid),
        id: 'DICOM+RFC3881',
        structured: '-',
      })),
    );
  });

  it('shows a certificate of our own to whom asks for one', async () => {
    const receiver = await listen({ requestCert: true, ca: tlsPem('authority.pem') });
    await expect(deliver(to(receiver), framesOf(3))).rejects.toThrow();
    const credentials = {
      ca: tlsPem('authority.pem'),
      cert: tlsPem('scandock.pem'),
      key: tlsPem('scandock.key.pem'),
    };
    await deliver(to(receiver, { credentials }), framesOf(3));
    expect(receiver.messages).toHaveLength(3);
  });

  it('waits for a receiver that reads slowly', async () => {
    const receiver = await listen();
    receiver.behave = (connection) => {
      receiver.read(connection);
      connection.on('data', () => {
        connection.pause();
        setTimeout(() => connection.resume(), 5);
      });
    };
    await deliver(to(receiver), framesOf(400, 5_000));
    expect(receiver.messages).toHaveLength(400);
  });

  it.each([
    ['nobody is there', undefined, 'ECONNREFUSED'],
    [
      'resets before it reads',
      (receiver: SyslogReceiver) => (connection: TLSSocket) => receiver.reset(connection),
      'ECONNRESET',
    ],
    [
      'dies in the middle of a message',
      (receiver: SyslogReceiver) => (connection: TLSSocket) =>
        void connection.once('data', () => receiver.reset(connection)),
      'ECONNRESET',
    ],
    ['says goodbye before we do', () => (connection: TLSSocket) => void connection.end(), 'closed_early'],
    ['reads nothing', () => (connection: TLSSocket) => void connection.pause(), 'stalled'],
  ] as const)('fails when the receiver %s', async (_, behave, code) => {
    const receiver = await listen();
    if (behave) receiver.behave = behave(receiver);
    else await opened.pop()!.die();
    const where = behave ? receiver : { port: await freePort() };
    const stallMs = code === 'stalled' ? 1_500 : 20_000;
    const error = await deliver(to(where, { stallMs }), framesOf(2_000, 2_000)).catch(
      (failure: unknown) => failure,
    );
    expect([code, 'EPIPE']).toContain((error as { code?: string }).code);
  });

  it('fails when the receiver’s process ends with something unread, though all of it was sent', async () => {
    const receiver = await listen();
    receiver.behave = (connection) => {
      connection.pause();
      setTimeout(() => receiver.abandon(connection), 2_000);
    };
    await expect(deliver(to(receiver), framesOf(100, 1_000))).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is not confirmed by an end that anybody on the way can make', async () => {
    const receiver = await listen();
    const onTheWay = await swallower(receiver.port);
    await expect(deliver(to(onTheWay), framesOf(5))).rejects.toMatchObject({ code: 'no_close_notify' });
    expect(onTheWay.swallowed()).toBeGreaterThan(5_000);
    expect(receiver.messages).toEqual([]);
    await deliver(to(onTheWay, { needsCloseNotify: false }), framesOf(5)); // who turns it off has been told
    onTheWay.close();
  });

  it.each([
    [
      'a certificate of somebody else’s authority',
      'receiver',
      'stranger.pem',
      'DEPTH_ZERO|SELF_SIGNED|UNABLE_TO',
    ],
    ['a certificate for another host', 'elsewhere', 'authority.pem', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('sends nothing to %s', async (_, certificate, authority, code) => {
    const receiver = await listen({ certificate });
    let seen = 0;
    receiver.behave = (connection) => void connection.on('data', (chunk: Buffer) => (seen += chunk.length));
    await expect(
      deliver(to(receiver, { credentials: { ca: tlsPem(authority) } }), framesOf(5)),
    ).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
    expect(seen).toBe(0);
  });

  it('sends nothing in clear to whom speaks no TLS', async () => {
    let heard = Buffer.alloc(0);
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk]);
        socket.write('220 hello\r\n');
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await expect(deliver(to(server.address() as AddressInfo), framesOf(5))).rejects.toThrow();
    expect(heard.toString('latin1')).not.toMatch(/AuditMessage|scandock/);
    server.close();
  });

  it('takes no TLS below 1.2', async () => {
    const receiver = await listen({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
    await expect(deliver(to(receiver), framesOf(1))).rejects.toThrow();
  });

  it('can be stopped', async () => {
    const receiver = await listen();
    receiver.behave = (connection) => void connection.pause();
    const stopping = new AbortController();
    const going = deliver(to(receiver), framesOf(2_000, 2_000), stopping.signal);
    setTimeout(() => stopping.abort(), 200);
    await expect(going).rejects.toMatchObject({ code: 'stopped' });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
