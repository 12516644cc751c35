declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'shares:open': { exam: string };
    'shares:unlock': { exam: string };
    'shares:download': { exam: string; upload: string };
  }
}

export {};
