import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SMTPServer } from 'smtp-server';
import type { ConfigValues } from '../config/config.schema.js';
import { startMailbox } from '../embedded/mailbox/mailbox.js';
import { MailSender } from './mail-sender.js';

const MAIL = {
  id: '01a1fdcf-e1cd-74f4-9a37-db07d542609b',
  to: 'zebulon@example.org',
  subject: 'Ihr Schlüssel',
  text: 'Der Code ist 482913.\n',
};
const REFUSED = 'MessageRefusedError';
const FAILED = 'MessageFailedError';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

function senderTo(SMTP_URL: string | undefined, NODE_ENV?: string): MailSender {
  const config = { SMTP_URL, MAIL_FROM: 'Scandock <no-reply@scandock.local>', NODE_ENV };
  const sender = new MailSender(config as ConfigValues);
  closing.push(() => sender.onModuleDestroy());
  return sender;
}

/** A real SMTP server with a mind of its own. */
async function smtpServer(options: ConstructorParameters<typeof SMTPServer>[0]): Promise<number> {
  const server = new SMTPServer({ disableReverseLookup: true, closeTimeout: 100, ...options });
  server.on('error', () => undefined);
  const listener = server.listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return (listener.address() as AddressInfo).port;
}

/** Something that is no SMTP server at all. */
async function socketServer(listener: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    listener(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const open = { disabledCommands: ['AUTH', 'STARTTLS'], authOptional: true };
const saying = (responseCode: number) =>
  Object.assign(new Error('<zebulon@example.org> is not known here'), { responseCode });

async function failureOf(sender: MailSender, mail = MAIL): Promise<Error & { code: string }> {
  const failure = await sender.send(mail).then(
    () => undefined,
    (error: unknown) => error as Error & { code: string },
  );
  expect(failure).toBeDefined();
  // Neither the recipient nor the text, wherever somebody may look who writes it to a log.
  expect(JSON.stringify([failure!.message, failure!.stack, failure!.cause, failure])).not.toMatch(
    /zebulon|482913|Schlüssel|not known/,
  );
  return failure!;
}

describe('a mail', () => {
  it('reaches the mailbox as it was written', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'mail-'));
    closing.push(() => rmSync(dir, { recursive: true }));
    const mailbox = await startMailbox({ dir, smtpPort: 0, httpPort: 0 });
    closing.push(() => mailbox.close());
    for (const NODE_ENV of [undefined, 'production']) {
      const sender = senderTo(`smtp://127.0.0.1:${mailbox.smtpPort}`, NODE_ENV);
      expect(sender.available).toBe(true);
      await sender.send(MAIL);
    }
    const answer = await fetch(`http://127.0.0.1:${mailbox.httpPort}/messages.json`);
    const { messages } = (await answer.json()) as { messages: object[] };
    const seen = { to: MAIL.to, subject: MAIL.subject, text: MAIL.text.trimEnd() };
    expect(messages).toEqual([expect.objectContaining(seen), expect.objectContaining(seen)]);
  });

  it('says who it is from, names itself the same at each try, and wants no answer', async () => {
    const seen: string[] = [];
    const port = await smtpServer({
      ...open,
      onData: (stream, session, done) => {
        let raw = `${JSON.stringify(session.envelope.mailFrom)}\n`;
        stream.on('data', (chunk) => (raw += chunk)).on('end', () => done(null, String(seen.push(raw))));
      },
    });
    const sender = senderTo(`smtp://127.0.0.1:${port}`);
    await sender.send(MAIL);
    await sender.send(MAIL);
    for (const raw of seen) {
      expect(raw).toContain('"address":"no-reply@scandock.local"');
      expect(raw).toMatch(/^From: Scandock <no-reply@scandock\.local>\r$/m);
      expect(raw).toMatch(/^To: zebulon@example\.org\r$/m);
      expect(raw).toMatch(/^Message-ID: <01a1fdcf-e1cd-74f4-9a37-db07d542609b@scandock\.local>\r$/m);
      expect(raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
      expect(raw).toMatch(/^Content-Type: text\/plain; charset=utf-8\r$/m);
    }
    expect(seen).toHaveLength(2);
  });

  it('goes to one recipient and has one subject, whatever they hold', async () => {
    let connections = 0;
    const seen: string[] = [];
    const port = await smtpServer({
      ...open,
      onConnect: (_session, done) => done(void connections++),
      onData: (stream, _session, done) => {
        let raw = '';
        stream.on('data', (chunk) => (raw += chunk)).on('end', () => done(null, String(seen.push(raw))));
      },
    });
    const sender = senderTo(`smtp://127.0.0.1:${port}`);
    const several = [
      'zebulon@a.example, b@b.example',
      'zebulon@a.example\r\nBcc: b@b.example',
      'Z <zebulon@a.example>',
    ];
    for (const to of [...several, 'zebulon@a.example>', 'team: zebulon@a.example;', 'zebulon', ''])
      expect(await failureOf(sender, { ...MAIL, to })).toMatchObject({
        name: REFUSED,
        code: 'not an address',
      });
    expect(connections).toBe(0);
    await sender.send({ ...MAIL, subject: 'One\r\nBcc: b@b.example' });
    expect(seen[0]).not.toMatch(/^Bcc/m);
  });

  it('signs in with the user and the password of the URL', async () => {
    const seen: unknown[] = [];
    const port = await smtpServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => {
        seen.push(username, password);
        if (password === 'p@ss:w%rd') done(null, { user: username });
        else done(saying(535));
      },
      onData: (stream, _session, done) => void stream.resume().on('end', () => done()),
    });
    await senderTo(`smtp://user%40example.org:p%40ss%3Aw%25rd@127.0.0.1:${port}`).send(MAIL);
    expect(seen).toEqual(['user@example.org', 'p@ss:w%rd']);
    expect(await failureOf(senderTo(`smtp://user:wrong@127.0.0.1:${port}`))).toMatchObject({
      name: FAILED,
      code: 'SMTP 535',
    });
  });
});

describe('a mail that is not taken', () => {
  it.each([
    [421, FAILED],
    [450, FAILED],
    [452, FAILED],
    [550, REFUSED],
    [554, REFUSED],
  ])('with %d is a %s, at each step', async (code, name) => {
    const steps: ConstructorParameters<typeof SMTPServer>[0][] = [
      { onMailFrom: (_address, _session, done) => done(saying(code)) },
      { onRcptTo: (_address, _session, done) => done(saying(code)) },
      { onData: (stream, _session, done) => void stream.resume().on('end', () => done(saying(code))) },
    ];
    for (const step of steps) {
      const port = await smtpServer({ ...open, ...step });
      const failure = await failureOf(senderTo(`smtp://127.0.0.1:${port}`));
      expect(failure).toMatchObject({ name, code: `SMTP ${code}`, channel: 'mail' });
    }
  });

  it('because nobody listens is a failure', async () => {
    const port = await socketServer(() => undefined);
    await closing.pop()!();
    expect(await failureOf(senderTo(`smtp://127.0.0.1:${port}`))).toMatchObject({ name: FAILED });
  });

  it('because the connection breaks off is a failure', async () => {
    const port = await socketServer((socket) => {
      socket.write('220 hello\r\n');
      socket.once('data', () => socket.destroy());
    });
    expect(await failureOf(senderTo(`smtp://127.0.0.1:${port}`))).toMatchObject({ name: FAILED });
  });

  it('because the server never speaks is a failure within ten seconds and a bit', async () => {
    const port = await socketServer(() => undefined);
    const begun = Date.now();
    expect(await failureOf(senderTo(`smtp://127.0.0.1:${port}`))).toMatchObject({ name: FAILED });
    expect(Date.now() - begun).toBeLessThan(15_000);
  });

  it('because there is no server is refused, and known before', async () => {
    const sender = senderTo(undefined);
    expect(sender.available).toBe(false);
    expect(await failureOf(sender)).toMatchObject({ name: REFUSED, code: 'not configured' });
  });
});

describe('in production', () => {
  // 0.0.0.0 is not spelled as this machine but leads to it, except on Windows.
  const elsewhere = process.platform === 'win32' ? it.skip : it;

  elsewhere('no mail goes to another host in the clear, with STARTTLS not offered', async () => {
    let told = 0;
    const port = await smtpServer({ ...open, onMailFrom: (_address, _session, done) => done(void told++) });
    const failure = await failureOf(senderTo(`smtp://0.0.0.0:${port}`, 'production'));
    expect(failure.code).toMatch(/ETLS|SMTP 5/);
    expect(told).toBe(0);
  });

  elsewhere('nor to one whose certificate nobody vouches for', async () => {
    jest.spyOn(console, 'error').mockImplementation(() => undefined); // the server says that its certificate is bad
    let told = 0;
    const port = await smtpServer({
      disabledCommands: ['AUTH'],
      authOptional: true,
      onMailFrom: (_address, _session, done) => done(void told++),
    });
    await failureOf(senderTo(`smtp://0.0.0.0:${port}`, 'production'));
    await failureOf(senderTo(`smtps://0.0.0.0:${port}`, 'production'));
    expect(told).toBe(0);
  });

  elsewhere('elsewhere it does, as a mail catcher for development needs', async () => {
    const onData: NonNullable<ConstructorParameters<typeof SMTPServer>[0]>['onData'] = (
      stream,
      _session,
      done,
    ) => void stream.resume().on('end', () => done());
    const port = await smtpServer({ ...open, onData });
    await senderTo(`smtp://0.0.0.0:${port}`, 'development').send(MAIL);
  });
});
