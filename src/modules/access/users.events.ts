declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'users:invite': { invitation: 'queued' | 'unavailable'; replayed: boolean };
    /** `code`: what the mail server said when it refused, e.g. `SMTP 550`. */
    'users:deliver-invitation': { code?: string };
    /** Which of the names, never what they are. */
    'users:update': { changed: string[] };
    /** `sessions`: how many were ended. */
    'users:disable': { repeated: boolean; sessions: number };
    'users:enable': { repeated: boolean };
  }
}

export {};
