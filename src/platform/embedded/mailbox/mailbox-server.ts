import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MARK_SVG } from '../../http/mark.html.js';
import { MAILBOX_CSS } from './mailbox-page.css.js';
import { mailboxPage } from './mailbox-page.html.js';
import type { MailboxMessage, MailboxStore } from './mailbox-store.js';

/** Names of this machine. By any other, a page of somebody else's would be asking (DNS rebinding). */
const OWN_HOST = /^(127\.0\.0\.1|localhost)(:\d+)?$/i;

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** What shows the mailbox, on loopback: the page, and `messages.json` for scripts and tests. */
export async function startMailboxServer(
  store: MailboxStore,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => answer(store, request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(store: MailboxStore, request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const send = (status: number, type: string, body: string) =>
    void response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(body);

  if (!OWN_HOST.test(request.headers.host ?? '')) return send(421, 'text/plain', 'Ask for 127.0.0.1.\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return send(405, 'text/plain', 'This mailbox is only read.\n');
  }
  switch (request.url?.split('?')[0]) {
    case '/':
      return send(200, 'text/html', mailboxPage(store.list()).markup);
    case '/messages.json':
      return send(200, 'application/json', JSON.stringify({ messages: store.list().map(shown) }));
    case '/mailbox.css':
      return send(200, 'text/css', MAILBOX_CSS);
    case '/scandock.svg':
      return send(200, 'image/svg+xml', MARK_SVG);
    default:
      return send(404, 'text/plain', 'There is no such page.\n');
  }
}

function shown({ id, to, subject, text, received_at }: MailboxMessage): Omit<MailboxMessage, 'from'> {
  return { id, to, subject, text, received_at };
}
