declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'uploads:issue': { order: string | null };
    /** Uploads of one exam or order, or one of neither, whose objects were found in the bucket. */
    'uploads:land': { count: number };
    'uploads:complete': { state: string };
    'uploads:download': Record<string, never>;
    'uploads:verify': { size: number; attempt: number };
    /** Of an archive: how many entries it brought, and whether metadata of its order with them. */
    'uploads:register': { duplicate: boolean; entries?: number; metadata?: boolean };
    'uploads:reject': { rule: string };
    'uploads:expire': { count: number };
    'uploads:purge': { count: number };
  }
}

export {};
