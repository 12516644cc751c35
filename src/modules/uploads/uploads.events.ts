declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** Uploads of one exam whose objects were found in the bucket. */
    'uploads:land': { count: number };
    'uploads:verify': { size: number; attempt: number };
    'uploads:register': { duplicate: boolean };
    'uploads:reject': { rule: string };
    'uploads:expire': { count: number };
    'uploads:purge': { count: number };
  }
}

export {};
