declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** `role` where the operator made it, who binds one in the same breath. */
    'clients:create':
      | { role: string; scopes: string[] }
      | { scopes: string[]; secret: boolean; jwks: boolean; replayed: boolean };
    /** What was changed; `scopes` as they are now. */
    'clients:update': { changed: string[]; scopes: string[]; version: number };
    'clients:disable': { repeated: boolean };
    'clients:enable': { repeated: boolean };
    'clients:create-secret': { secret: string };
    'clients:revoke-secret': { secret: string };
    'api-keys:create': { role: string; scopes: string[] } | { purpose: string; scopes?: string[] };
    'api-keys:update': { changed: string[]; scopes: string[]; version: number };
    'api-keys:rotate': { purpose: string };
    'api-keys:retire-previous': { repeated: boolean };
    'api-keys:revoke': { repeated: boolean };
    'sessions:revoke': { user: string };
  }
}

export {};
