declare module './audit.events.js' {
  interface AuditDetails {
    /** `filters` and `interval` tell which members were set, not to what. */
    'audit:create-export': { format: string; interval: string[]; filters: string[]; replayed: boolean };
    /** The worker's: `sha256` of the manifest, in hexadecimal. On failure a code, and where the ledger has lost an event. */
    'audit:export-finished':
      | { export: string; format: string; rows: number; bytes: number; sha256: string }
      | {
          export: string;
          format: string;
          rows: number;
          bytes: number;
          code: string;
          first_bad: number | null;
        };
  }
}

export {};
