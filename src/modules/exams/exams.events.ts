declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'exams:create': { files: number; bytes: number; replayed: boolean };
    'exams:issue-urls': { urls: number };
    'exams:confirm': { files: number; repeated: boolean };
    'exams:delete': { uploads: number };
    'exams:share': { change: 'set' | 'rotated' | 'revoked'; password: boolean; expires: boolean };
  }
}

export {};
