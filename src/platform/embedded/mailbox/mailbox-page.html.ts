import { type Html, html } from '../../http/html.js';
import { mark } from '../../http/mark.html.js';
import type { MailboxMessage } from './mailbox-store.js';

/** A code as it is sent to sign in: six digits that stand alone. */
const CODE = /(?<!\d)\d{6}(?!\d)/;

const empty = html`<section class="empty">
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect x="4" y="7" width="24" height="18" rx="3" />
    <path d="m5 9 11 9 11-9" />
  </svg>
  <h2>No messages yet</h2>
  <p>
    Mail that Scandock sends appears here within seconds instead of being delivered: a patient’s sign-in code,
    for example.
  </p>
</section>`;

/** The whole mailbox on one page, newest first; without scripts, it asks for itself again every five seconds. */
export function mailboxPage(newestFirst: readonly MailboxMessage[]): Html {
  const count = newestFirst.length;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="refresh" content="5" />
        <title>${count > 0 && `(${count}) `}Mailbox · Scandock</title>
        <link rel="icon" href="/scandock.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/mailbox.css" />
      </head>
      <body>
        <header>
          <span class="brand">${mark}Scandock</span><span class="notice">For development only</span>
        </header>
        <main>
          <div class="title">
            <h1>Mailbox</h1>
            ${count > 0 && html`<p class="count">${count} ${count === 1 ? 'message' : 'messages'}</p>`}
          </div>
          ${count > 0 ? newestFirst.map(card) : empty}
        </main>
        <footer>
          <p>Nothing here was delivered to anybody. The newest 100 messages are kept, on this machine.</p>
        </footer>
      </body>
    </html>`;
}

function card({ from, to, subject, text, received_at }: MailboxMessage): Html {
  const code = CODE.exec(text)?.[0];
  return html`<article>
    <div class="top">
      <h2>${subject || '(no subject)'}</h2>
      <time datetime="${received_at}">${localTime(received_at)}</time>
    </div>
    <dl>
      <dt>To</dt>
      <dd>${to}</dd>
      <dt>From</dt>
      <dd>${from.split(/ (?=<)/).map((part) => html`<span>${part}</span> `)}</dd>
    </dl>
    ${code && html`<p class="code">${code}</p>`}
    <pre>${text}</pre>
  </article>`;
}

/** In this machine's time zone, which is the reader's too. */
function localTime(iso: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(iso));
}
