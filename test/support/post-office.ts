import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { eventually } from './client.js';

export interface Message {
  to: string;
  subject: string;
  text: string;
}

/** A mail server and a gateway for text messages, both real: what they take is kept, and they refuse when told to. */
export class PostOffice {
  readonly mails: Message[] = [];
  readonly texts: Message[] = [];
  /** How many of the next recipients the mail server refuses, and with what reply (RFC 5321, section 4.2). */
  refusals: { reply: number; times: number } = { reply: 0, times: 0 };
  private readonly closing: (() => Promise<unknown>)[] = [];

  static async open(): Promise<PostOffice> {
    const office = new PostOffice();
    await office.openMail();
    await office.openTexts();
    return office;
  }

  /** What makes a process send through here. */
  environment: Record<string, string> = {
    MAIL_FROM: 'Scandock <no-reply@scandock.local>',
    SMS_WEBHOOK_SECRET: Buffer.alloc(32, 7).toString('base64'),
  };

  /** The newest message to an address, once there are so many. */
  async newestTo(address: string, count = 1): Promise<Message> {
    const all = () => [...this.mails, ...this.texts].filter(({ to }) => to === address);
    const found = await eventually(
      () => Promise.resolve(all()),
      (messages) => messages.length >= count,
    );
    return found.at(-1)!;
  }

  async close(): Promise<void> {
    for (const close of this.closing) await close();
  }

  private async openMail(): Promise<void> {
    const server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      authOptional: true,
      disableReverseLookup: true,
      closeTimeout: 100,
      onRcptTo: ({ address }, _session, done) => {
        if (this.refusals.times-- <= 0) return done();
        // As servers do, it quotes the address.
        const refusal = new Error(`<${address}>: not here`);
        done(Object.assign(refusal, { responseCode: this.refusals.reply }));
      },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          PostalMime.parse(Buffer.concat(chunks)).then(({ subject = '', text = '' }) => {
            const to = session.envelope.rcptTo.map(({ address }) => address).join(', ');
            this.mails.push({ to, subject, text: text.trimEnd() });
            done();
          }, done);
        });
      },
    });
    server.on('error', () => undefined);
    const listener = server.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    this.closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    this.environment.SMTP_URL = `smtp://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  }

  private async openTexts(): Promise<void> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const { to, text } = JSON.parse(body) as { to: string; text: string };
        this.texts.push({ to, text, subject: '' });
        response.writeHead(202).end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.closing.push(() => new Promise((resolve) => server.close(resolve)));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.environment.SMS_WEBHOOK_URL = `http://${host}/sms`;
    this.environment.OUTBOUND_PRIVATE_HOSTS = host;
  }
}
