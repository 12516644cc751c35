import type { AppAbility } from './ability.js';
import type { Scope } from './scopes.js';

/** Whoever calls. */
export interface Principal {
  kind: 'client' | 'api_key' | 'user' | 'share_link';
  id: string;
  organizationId: string;
  /** The name an administrator gave it; shown in the audit ledger. A patient's is empty. */
  label: string;
}

/** What the transport knows of a request, as the audit ledger records it. */
export interface RequestInfo {
  requestId: string;
  traceId?: string;
  ip?: string;
  userAgent?: string;
  /** What the request turned out to be about, for the ledger: ids of our own, noted by whoever found the row. */
  about?: {
    /** Of a public route: whose affair the call is. */
    organizationId?: string;
    resource?: { type: string; id: string };
    studyRef?: string;
    patientRef?: string;
  };
}

/** What a valid credential says, before anybody looked whether its principal is still welcome. */
export interface Credential {
  kind: Principal['kind'];
  principalId: string;
  organizationId: string;
  /** What the credential was issued for. */
  scopes: readonly Scope[];
  /** Absent: until revoked. */
  expiresAt?: Date;
  /** Of a user: the session it ends with. */
  sessionId?: string;
  /** Of an access token: its `jti`, by which it may have been revoked. */
  tokenId?: string;
}

/** A principal with what it may do, within one request. Services take it as their first argument. */
export interface Caller {
  principal: Principal;
  scopes: readonly Scope[];
  ability: AppAbility;
  expiresAt?: Date;
  request: RequestInfo;
  /** Asks again, for what takes long: a session may have ended since the request began. @throws invalid_token */
  confirm?: () => Promise<void>;
}

/** A patient's app, known by its portal's key: the organization it speaks for. The key is public and grants nothing. */
export interface Portal {
  organizationId: string;
  apiKeyId: string;
}
