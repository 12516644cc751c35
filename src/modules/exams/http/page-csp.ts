/** Content-Security-Policy of the share pages: no script at all, one style sheet and the mark from our own origin. */
export const PAGE_CSP =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
