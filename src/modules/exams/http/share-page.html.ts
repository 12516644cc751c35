import type { ExamDetail, ExamFile } from '../exams.schemas.js';
import { html, type Html } from '../../../platform/http/html.js';
import { mark } from '../../../platform/http/mark.html.js';

/** Files on one page of the list. */
const PAGE_SIZE = 100;

const STATES: Record<ExamFile['state'], string> = {
  issued: 'Waiting for upload',
  expired: 'Not uploaded',
  landed: 'Being checked',
  verified: 'Being checked',
  registered: 'Ready',
  rejected: 'Rejected',
};

const SUMMARIES: Record<ExamDetail['ingestion_status'], string> = {
  pending: 'The files are on their way.',
  processing: 'The files are being checked.',
  registered: 'All files are checked and ready.',
  partially_registered: 'Some files could not be accepted.',
  failed: 'None of the files could be accepted.',
};

/** The branded page of one exam: what it is, what became of each file, and the way to each. */
export function sharePage(exam: ExamDetail, token: string, page: number): Html {
  const ready = exam.files.filter(({ state }) => state === 'registered').length;
  const pages = Math.max(1, Math.ceil(exam.files.length / PAGE_SIZE));
  const current = Math.min(Math.max(1, page), pages);
  const from = (current - 1) * PAGE_SIZE;
  const facts: [string, string | undefined][] = [
    ['Exam type', exam.exam_type],
    ['Created', longDate(exam.created_at)],
    ['Files', `${exam.files.length} · ${readableSize(exam.files.reduce((sum, { size }) => sum + size, 0))}`],
    ['Link valid until', exam.expires_at && longDate(exam.expires_at)],
  ];
  return layout(
    exam.name,
    html`<section class="head">
        <p class="eyebrow">Shared exam</p>
        <h1>${exam.name}</h1>
        <p class="patient">${exam.patient_name}</p>
        <dl>
          ${facts.map(
            ([term, value]) =>
              value &&
              html`<div>
                <dt>${term}</dt>
                <dd>${value}</dd>
              </div>`,
          )}
        </dl>
      </section>
      <section class="summary" aria-label="Progress">
        <p><span class="dot ${exam.ingestion_status}"></span>${SUMMARIES[exam.ingestion_status]}</p>
        <progress max="${exam.files.length}" value="${ready}">${ready} of ${exam.files.length}</progress>
        <p class="count">${ready} of ${exam.files.length} ready</p>
      </section>
      <section class="files" aria-label="Files">
        <ul>
          ${exam.files.slice(from, from + PAGE_SIZE).map((file) => fileLine(file, token))}
        </ul>
        ${pages > 1 && pager(token, current, pages)}
      </section>`,
  );
}

export function passwordPage(token: string, wrong: boolean): Html {
  return layout(
    'Protected exam',
    html`<section class="head narrow">
      <p class="eyebrow">Shared exam</p>
      <h1>This exam is protected</h1>
      <p class="lead">Enter the password you were given together with the link.</p>
      <form method="post" action="/share/${token}">
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          required
          autofocus
          autocomplete="off"
          maxlength="128"
        />
        ${wrong && html`<p class="wrong" role="alert">That is not the password of this link.</p>`}
        <button type="submit">Open the exam</button>
      </form>
    </section>`,
  );
}

/** For every error of the pages: the words are the error's own, which tell nothing of what exists. */
export function errorPage(status: number, message: string): Html {
  const title = status === 404 ? 'This link leads nowhere' : 'That did not work';
  const hint =
    status === 404
      ? 'It may have expired, been replaced or been withdrawn. Ask whoever sent it for a new one.'
      : message;
  return layout(
    title,
    html`<section class="head narrow">
      <p class="eyebrow">Shared exam</p>
      <h1>${title}</h1>
      <p class="lead">${hint}</p>
    </section>`,
  );
}

function fileLine(file: ExamFile, token: string): Html {
  const { upload_id, name, size, state, rejection } = file;
  return html`<li class="${state}">
    <span class="name">${name}</span>
    <span class="state">${STATES[state]}</span>
    <span class="size">${readableSize(size)}</span>
    ${state === 'registered' && html`<a class="download" href="/share/${token}/files/${upload_id}" aria-label="Download ${name}">Download</a>`}
    ${rejection && html`<p class="reason">${rejection.message} <code>${rejection.rule}${rejection.where && ` at ${rejection.where}`}</code></p>`}
  </li>`;
}

function pager(token: string, current: number, pages: number): Html {
  const link = (page: number, label: string) =>
    page >= 1 && page <= pages
      ? html`<a href="/share/${token}?page=${page}">${label}</a>`
      : html`<span></span>`;
  return html`<nav class="pager" aria-label="Pages">
    ${link(current - 1, 'Previous')}<span>Page ${current} of ${pages}</span>${link(current + 1, 'Next')}
  </nav>`;
}

function layout(title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow, noarchive" />
        <title>${title} · Scandock</title>
        <link rel="icon" href="/assets/scandock.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/share.css" />
      </head>
      <body>
        <header>
          <span class="brand">${mark}Scandock</span><span class="notice">Not for diagnostic use</span>
        </header>
        <main>${body}</main>
        <footer>
          <p>Images on this page are for information only and must not be used for diagnosis.</p>
          <p>Each opening of this link is recorded.</p>
        </footer>
      </body>
    </html>`;
}

function longDate(iso: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(iso));
}

function readableSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  return `${(bytes / 1000 ** power).toFixed(bytes / 1000 ** power < 10 ? 1 : 0)} ${units[power - 1]}`;
}
