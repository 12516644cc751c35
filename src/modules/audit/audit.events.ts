/** The values an event's detail may hold: ids, counts, codes. Never a name, a tag's value, a file name or a secret. */
export type DetailValue = string | number | boolean | null | DetailValue[] | { [key: string]: DetailValue };

/**
 * The detail of each action's event. Modules add their own by declaration merging (`*.events.ts`), so that the union
 * is closed for the compiler while audit imports no feature. Actions that are not listed carry no detail of their own.
 */
export interface AuditDetails {
  /** A batch of failures of one address or principal on one route, counted instead of written one by one. */
  'auth:suppressed-failures': { route: string; count: number };
  /** Times of the events that are kept; null: no such bound. */
  'audit:place-hold': { from: string | null; to: string | null; replayed: boolean };
  /** The operator's, written by the functions that do it: a month left the ledger; its table was dropped. */
  'audit:retired': { month: string; events: number; export: string };
  'audit:dropped': { month: string; events: number; export: string };
  'audit:release-hold': Record<string, never>;
}

export const OUTCOMES = ['success', 'denied', 'failure'] as const;
export type AuditOutcome = (typeof OUTCOMES)[number];

export const ACTOR_KINDS = ['client', 'api_key', 'user', 'share_link', 'anonymous', 'system'] as const;

export interface AuditActor {
  kind: (typeof ACTOR_KINDS)[number];
  id?: string;
  label?: string;
}

/** Where an event came from, when a request caused it. */
export interface AuditOrigin {
  requestId?: string;
  traceId?: string;
  ip?: string;
  userAgent?: string;
}

/** An event before it has an id and a time. */
export interface AuditEntry<Action extends string = string> {
  organizationId: string;
  actor: AuditActor;
  action: Action;
  outcome: AuditOutcome;
  resource?: { type: string; id?: string };
  /** Ids of our own rows, resolved to names only at export. */
  patientRef?: string;
  studyRef?: string;
  scopes?: readonly string[];
  origin?: AuditOrigin;
  detail?: Action extends keyof AuditDetails ? AuditDetails[Action] : Record<string, DetailValue>;
}

/** An event as it stands in the ledger. */
export interface AuditRecord {
  id: string;
  occurredAt: Date;
  organizationId: string;
  actorKind: string;
  actorId: string | null;
  actorLabel: string | null;
  action: string;
  outcome: string;
  resourceType: string | null;
  resourceId: string | null;
  patientRef: string | null;
  studyRef: string | null;
  requestId: string | null;
  traceId: string | null;
  ip: string | null;
  userAgent: string | null;
  scopes: string[];
  detail: DetailValue;
}
