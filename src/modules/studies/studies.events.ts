declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** A submission closed: the study's generation is complete. */
    'studies:close': { generation: number };
  }
}

export {};
