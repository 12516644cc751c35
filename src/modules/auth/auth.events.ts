declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'tokens:issue': { jti: string; lifetime: number };
  }
}

export {};
