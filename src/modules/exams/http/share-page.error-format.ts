import type { ErrorFormat } from '../../../platform/http/error-format.js';
import { PAGE_CSP } from './page-csp.js';
import { errorPage } from './share-page.html.js';

/** Errors of pages are pages. */
export const shareErrorFormats: ErrorFormat[] = ['/share/', '/viewer/'].map((prefix) => ({
  prefix,
  contentType: 'text/html; charset=utf-8',
  headers: { 'content-security-policy': PAGE_CSP },
  render: (error) => errorPage(error.status, error.message).markup,
}));
