declare module '../audit/audit.events.js' {
  interface AuditDetails {
    /** `kid`: the key a client has signed with, where it has shown no secret. */
    'tokens:issue': { jti: string; lifetime: number; kid?: string };
    'tokens:introspect': { active: boolean };
    /** `reason`: why nothing was revoked. */
    'tokens:revoke': { revoked: boolean; reason?: 'not_active' | 'of_another_client' | 'revoked_before' };
    'signing-keys:rotate': { active_at: string; retired: string[]; retired_at: string };
    /** `user`: whose address it is, if it is that of staff; of a patient the event says so itself. */
    'sign-in:send-code': { challenge: string; channel: string; user?: string };
    /** `code`: what the mail server or gateway said when it refused, e.g. `SMTP 550`. */
    'sign-in:deliver-code': { challenge: string; channel: string; code?: string; user?: string };
    'sign-in:verify-code': { challenge: string; jti: string; lifetime: number };
    'sign-in:finish-oidc': { provider: string; jti: string; lifetime: number };
    'sign-in:link-identity': { identity: string; provider: string };
    'sessions:refresh': { jti: string; lifetime: number };
    'sessions:end': { reason: string };
  }
}

export {};
