declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'uploads:issue': { order: string | null };
    /** Uploads of one exam or order, or one of neither, whose objects were found in the bucket. */
    'uploads:land': { count: number };
    'uploads:complete': { state: string };
    'uploads:download': Record<string, never>;
    'uploads:verify': { size: number; attempt: number };
    /** `entries`: how many an archive brought. */
    'uploads:register': { duplicate: boolean; entries?: number };
    'uploads:reject': { rule: string };
    'uploads:expire': { count: number };
    'uploads:purge': { count: number };
  }
}

export {};
