declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'identity-providers:create': { secret: boolean; redirect_uris: number; replayed: boolean };
    /** `changed`: the members that were, by name. */
    'identity-providers:update': { changed: string[] };
    /** `sessions`: how many ended with it. */
    'identity-providers:disable': { repeated: boolean; sessions: number };
    'identity-providers:enable': { repeated: boolean };
    'users:link-identity': { identity: string; provider: string; replayed: boolean };
    'users:unlink-identity': { identity: string; sessions: number };
  }
}

export {};
