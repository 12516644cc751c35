import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTransport } from 'nodemailer';
import { startMailbox } from './mailbox.js';

let root: string;
let dir: string;
let mailbox: Awaited<ReturnType<typeof startMailbox>>;
const open = () => startMailbox({ dir, smtpPort: 0, httpPort: 0 });

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'mailbox-'));
  dir = path.join(root, 'mailbox');
  mailbox = await open();
});

afterEach(async () => {
  await mailbox.close();
  rmSync(root, { recursive: true });
});

async function send(subject: string, text: string, to = 'pat@example.org'): Promise<void> {
  await sendAll([{ subject, text, to }]);
}

/** In this order, on one connection. */
async function sendAll(mails: { subject: string; text: string; to: string }[]): Promise<void> {
  const transport = createTransport({
    pool: true,
    maxConnections: 1,
    maxMessages: Infinity,
    host: '127.0.0.1',
    port: mailbox.smtpPort,
  });
  const from = 'Scandock <no-reply@scandock.local>';
  await Promise.all(mails.map((mail) => transport.sendMail({ from, ...mail }))).finally(() =>
    transport.close(),
  );
}

/** Node's own client: `fetch` does not let one choose the Host header. */
function ask(path: string, { method = 'GET', host }: { method?: string; host?: string } = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const headers = host === undefined ? {} : { host };
      request({ host: '127.0.0.1', port: mailbox.httpPort, path, method, headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      })
        .on('error', reject)
        .end();
    },
  );
}

const messages = async () =>
  (JSON.parse((await ask('/messages.json')).body) as { messages: Record<string, string>[] }).messages;

describe('the mailbox', () => {
  it('keeps what is sent to it, newest first, and tells it as JSON', async () => {
    expect(await messages()).toEqual([]);
    await send('Your code', 'It is 482913.\n\nGrüße\n');
    await send('Zweite', 'Nachricht', 'a@example.org, b@example.org');
    const [newest, oldest] = await messages();
    expect(Object.keys(oldest!)).toEqual(['id', 'to', 'subject', 'text', 'received_at']);
    expect(oldest).toMatchObject({
      to: 'pat@example.org',
      subject: 'Your code',
      text: 'It is 482913.\n\nGrüße',
    });
    expect(Math.abs(Date.now() - Date.parse(oldest!.received_at!))).toBeLessThan(60_000);
    expect(newest).toMatchObject({ to: 'a@example.org, b@example.org', subject: 'Zweite' });
  });

  it('keeps them over a restart, for nobody else to read', async () => {
    await send('Before', 'the restart');
    await mailbox.close();
    writeFileSync(path.join(dir, 'half.json.new'), '{');
    mailbox = await open();
    await send('After', 'the restart');
    expect((await messages()).map(({ subject }) => subject)).toEqual(['After', 'Before']);
    expect(readdirSync(dir)).toHaveLength(2);
    if (process.platform === 'win32') return;
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(dir)) expect(statSync(path.join(dir, file)).mode & 0o777).toBe(0o600);
  });

  it('forgets all but the newest hundred', async () => {
    const numbers = Array.from({ length: 103 }, (_, index) => `Number ${index + 1}`);
    await sendAll(numbers.map((subject) => ({ subject, text: 'x', to: 'pat@example.org' })));
    const kept = await messages();
    expect(kept).toHaveLength(100);
    expect([kept[0]!.subject, kept[99]!.subject]).toEqual(['Number 103', 'Number 4']);
    expect(readdirSync(dir)).toHaveLength(100);
  });

  it('takes no message above 1 MiB, announced or not', async () => {
    await expect(send('Large', 'x'.repeat(1.1 * 1024 * 1024))).rejects.toMatchObject({ responseCode: 552 });
    const lines = ['EHLO a', 'MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.org>', 'DATA'];
    expect(await converse([...lines, `${'x'.repeat(998)}\r\n`.repeat(1100) + '.'])).toMatch(/^552 /);
    expect(await messages()).toEqual([]);
  });

  it('asks for no password and offers no TLS of its own making', async () => {
    expect(await converse(['EHLO a'])).not.toMatch(/AUTH|STARTTLS/);
    expect(await converse(['EHLO a', 'STARTTLS'])).toMatch(/^5/);
  });

  it('does not take a web page for a mail client', async () => {
    expect(await converse(['POST / HTTP/1.1'])).toMatch(/^421 /);
  });
});

describe('its page', () => {
  it('says what will be there', async () => {
    const { status, headers, body } = await ask('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(body).toContain('No messages yet');
    expect(body).toContain('<meta http-equiv="refresh" content="5" />');
  });

  it('shows a message, and a code of six digits by itself', async () => {
    await send('Your code', 'Your code is 048291, valid until 12:30.');
    await send('Numbers', 'Call 1234567 or 12345; order A123456B.');
    await send('None', 'Nothing to type.');
    const { body } = await ask('/');
    expect(body).toContain('3 messages');
    expect(body.match(/<p class="code">.*?<\/p>/g)).toEqual([
      '<p class="code">123456</p>',
      '<p class="code">048291</p>',
    ]);
    expect(body.indexOf('None')).toBeLessThan(body.indexOf('Your code'));
    expect(body).toMatch(/pat@example\.org[\s\S]*&lt;no-reply@scandock\.local&gt;/);
  });

  it('never lets a message become markup', async () => {
    await send('<script>alert(1)</script>', '</pre><img src=x onerror=alert(1)>');
    const { body } = await ask('/');
    expect(body).toContain('&lt;script&gt;');
    expect(body).not.toMatch(/<script|<img/);
  });

  it('runs no script, is in no frame, and is kept by nobody', async () => {
    for (const path of ['/', '/messages.json', '/nowhere']) {
      const { headers } = await ask(path);
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; style-src 'self'; img-src 'self'/,
      );
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
    expect((await ask('/')).body).not.toMatch(/<script|style=|<style| on\w+=/);
  });

  it('has its style and its mark', async () => {
    const { body } = await ask('/');
    for (const [, asset] of body.matchAll(/<link[^>]* href="([^"]+)"/g)) {
      const { status, headers } = await ask(asset!);
      expect({ status, type: headers['content-type'] }).toEqual({
        status: 200,
        type: expect.stringMatching(/^(text\/css|image\/svg\+xml)/),
      });
    }
  });

  it.each(['localhost', 'LOCALHOST:3004', '127.0.0.1:3004'])('answers to the name %s', async (host) => {
    expect((await ask('/messages.json', { host })).status).toBe(200);
  });

  it.each([
    'rebind.example',
    'rebind.example:3004',
    '127.0.0.1.example',
    'localhost.example',
    'xlocalhost',
    '10.0.0.1',
  ])('does not answer to the name "%s"', async (host) => {
    await send('Secret', '123456');
    for (const path of ['/', '/messages.json']) {
      const { status, body } = await ask(path, { host });
      expect(status).toBe(421);
      expect(body).not.toMatch(/Secret|123456/);
    }
  });

  it('is only read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await ask('/messages.json', { method })).status).toBe(405);
    expect((await ask('/', { method: 'HEAD' })).body).toBe('');
    expect((await ask('/../secrets.json')).status).toBe(404);
  });

  it('is on this machine only', async () => {
    const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    for (const { address } of others.filter(({ internal, family }) => !internal && family === 'IPv4'))
      for (const port of [mailbox.httpPort, mailbox.smtpPort])
        await expect(
          new Promise((resolve, reject) =>
            connect(port, address, () => resolve('open')).once('error', reject),
          ),
        ).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

/** Says one line after the other, each after the answer to the one before; resolves with the answer to the last. */
function converse(lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(mailbox.smtpPort, '127.0.0.1').setEncoding('utf8').once('error', reject);
    const waiting = [...lines];
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
      if (!/^\d{3} .*\r\n$/m.test(answer)) return;
      const next = waiting.shift();
      if (next === undefined) return void (socket.destroy(), resolve(answer));
      answer = '';
      socket.write(`${next}\r\n`);
    });
  });
}
