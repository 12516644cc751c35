declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** `issued`: whether a URL went out; without one, the content was there already. */
    'inspect:presign': { size: number; issued: boolean; replayed: boolean };
    'inspect:complete': { status: 'pending' | 'completed'; repeated: boolean };
  }
}

export {};
