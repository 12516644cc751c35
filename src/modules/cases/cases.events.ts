declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** `known`: the patient had been a user before. */
    'cases:create': { known: boolean; replayed: boolean };
    'cases:close': { repeated: boolean };
    'attachments:create': { case: string; inspect_file: string; replayed: boolean };
    'case-files:classify': { phi: boolean; restricted: boolean };
    'files:upload': { case: string | null; size: number; replayed: boolean };
    /** What never became visible: its bytes did not reach the bucket, or whoever took them died. */
    'files:discard': { upload: string };
  }
}

export {};
