declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'shares:open': { exam: string };
    'shares:unlock': { exam: string };
    /** Its resource is the upload: the link is who acts. */
    'shares:download': { exam: string; upload: string };
  }
}

export {};
