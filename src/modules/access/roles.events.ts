declare module '../audit/audit.events.js' {
  interface AuditDetails {
    'roles:create': { rules: number; replayed: boolean };
    /** Of rules, how many it has, and how many of them it did not have before, or has no more. */
    'roles:update': { renamed: boolean; rules: number; added: number; removed: number };
    /** Built-in roles that an upgrade has made or changed. */
    'roles:refresh': { roles: string[] };
    /** To whom, by the kind of principal; the limit is `null` without one. */
    'bindings:create': BindingDetail & { replayed: boolean };
    'bindings:delete': BindingDetail;
  }
}

export interface BindingDetail {
  [key: string]: string | boolean | null;
  role: string;
  principal_kind: string;
  principal: string;
  resource_type: string | null;
  resource: string | null;
}
