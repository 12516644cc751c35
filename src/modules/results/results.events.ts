declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'results:deliver': { order: string; size: number; replayed: boolean };
    /** One for each result of a page: a URL for the bytes of each is in it. */
    'results:download': { order: string };
    /** `repeated`: whether it had been acknowledged before; how many were asked for at once, and how many of these there are not. */
    'results:acknowledge': { repeated: boolean; asked: number; unknown: number };
  }
}

export {};
