declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** Which of the two were set. */
    'organizations:update': { name: boolean; required_metadata: boolean };
    'organizations:disable': { repeated: boolean };
    'organizations:enable': { repeated: boolean };
    'organizations:request-deletion': { deletion: string; repeated: boolean };
    'organizations:cancel-deletion': { deletion: string };
    'organizations:purge': { deletion: string; repeated: boolean };
    /** The worker's: all rows are in the bucket. `sha256` of the export, in hexadecimal. */
    'organizations:exported': { deletion: string; rows: number; bytes: number; sha256: string };
    /** The worker's: nothing is left but the ledger. */
    'organizations:purged': { deletion: string; objects: number; rows: number };
  }
}

export {};
