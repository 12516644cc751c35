declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'orders:create': { attributes: number; replayed: boolean };
    'orders:close': { submissions: number; repeated: boolean };
  }
}

export {};
