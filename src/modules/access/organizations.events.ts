declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** `owner`: the user, where the first one was named. */
    'organizations:create': { owner: string | null; replayed?: boolean };
    'organizations:require-metadata': { attributes: string[] };
  }
}

export {};
