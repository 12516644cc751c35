import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';
import type { MailboxStore } from './mailbox-store.js';

/** Largest message, in bytes (RFC 1870). */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const CLOSE_GRACE_MS = 1000;

/** An SMTP server on loopback that delivers nothing: whatever it takes lands in the mailbox. */
export async function startSmtpReceiver(
  store: MailboxStore,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = new SMTPServer({
    name: 'mailbox.scandock.local',
    banner: 'Scandock local mailbox',
    disabledCommands: ['AUTH', 'STARTTLS'],
    authOptional: true,
    disableReverseLookup: true,
    size: MAX_MESSAGE_BYTES,
    maxClients: 20,
    maxRecipients: 10,
    closeTimeout: CLOSE_GRACE_MS,
    onData(stream, session, done) {
      receive(stream)
        .then(async (raw) => {
          const { from, subject, text } = await PostalMime.parse(raw);
          await store.add({
            from: [from?.name, from?.address && `<${from.address}>`].filter(Boolean).join(' '),
            to: session.envelope.rcptTo.map(({ address }) => address).join(', '),
            subject: subject ?? '',
            text: (text ?? '').trimEnd(),
          });
        })
        .then(() => done(), done);
    },
  });
  server.on('error', () => undefined); // of one connection: it is over then, and the others are not
  const listener = server.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The whole message. What is too large is read to its end, as the protocol wants, but not kept. */
async function receive(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>)
    if (stream.sizeExceeded) chunks.length = 0;
    else chunks.push(chunk);
  if (stream.sizeExceeded)
    throw Object.assign(new Error('The message is larger than 1 MiB.'), { responseCode: 552 });
  return Buffer.concat(chunks);
}
