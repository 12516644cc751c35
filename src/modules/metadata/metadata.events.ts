declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** How many attributes; which ones could say something about the patient. */
    'metadata:write': { set: number; removed: number };
  }
}

export {};
