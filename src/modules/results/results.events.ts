declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'results:deliver': { order: string; size: number; replayed: boolean };
    /** `repeated`: how many of the results had been acknowledged before. */
    'results:acknowledge': { results: string[]; repeated: number; unknown: number };
  }
}

export {};
