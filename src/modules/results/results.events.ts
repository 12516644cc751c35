declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'results:deliver': { order: string; size: number; replayed: boolean };
    /** One for each result of a page: a URL for the bytes of each is in it. */
    'results:download': { order: string };
    /** `repeated`: how many of the results had been acknowledged before. */
    'results:acknowledge': { results: string[]; repeated: number; unknown: number };
  }
}

export {};
