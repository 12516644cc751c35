declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'groups:create': { replayed: boolean };
    'groups:update': Record<string, never>;
    /** What went with it: its members, its places in other groups, its role bindings. */
    'groups:delete': { members: number; memberships: number; bindings: number };
    'groups:add-member': { member: string; user?: string; group?: string; replayed: boolean };
    'groups:remove-member': { member: string; user?: string; group?: string };
  }
}

export {};
