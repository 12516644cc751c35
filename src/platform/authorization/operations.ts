import type { Scope } from './scopes.js';

/** What an operation acts on: a Prisma model's name, or a name of our own for what has no row. */
export type SubjectName =
  | 'Exam'
  | 'Upload'
  | 'Order'
  | 'Study'
  | 'Result'
  | 'InspectFile'
  | 'PatientCase'
  | 'PatientFile'
  | 'Event'
  | 'Organization'
  | 'User'
  | 'Group'
  | 'Role'
  | 'RoleBinding'
  | 'OauthClient'
  | 'ApiKey'
  | 'IdentityProvider'
  | 'Access'
  | 'Token'
  | 'Session'
  | 'ShareLink'
  | 'AuditEvent'
  | 'AuditSeal'
  | 'AuditExport'
  | 'AuditHold'
  | 'System';

export interface Operation {
  /** `<module>:<verb>`: the one name in permission, OpenAPI, log, metric and audit. */
  name: string;
  subject: SubjectName;
  /** What the id in its path names, where that is not the subject. */
  pathNames?: SubjectName;
  /** The scope a token needs; absent where the route is public. */
  scope?: Scope;
  /**
   * Who writes the event of a success: the service, in the transaction of the change, or the response hook (reads).
   * Failures and denials are always the hook's. `never`: neither success nor failure says anything about anybody.
   */
  audited: 'transaction' | 'response' | 'never';
  /** It makes a row where there was none, so that no condition on rows holds it: a binding limited to a resource grants none. */
  creates?: true;
  /** It is decided before there is a row: rules with conditions, and limited bindings, grant none of it. */
  unconditional?: true;
  /** Across organizations: only principals of the platform's own may perform it, whatever their roles say elsewhere. */
  platform?: true;
}

const registered = new Map<string, Operation>();
const bySubject = new Map<SubjectName, Operation[]>();

/** Registers a module's operations (its `*.policy.ts`). Features register here, so that access never imports them. */
export function defineOperations(operations: Record<string, Omit<Operation, 'name'>>): void {
  for (const [name, given] of Object.entries(operations)) {
    if (registered.has(name)) throw new Error(`Operation ${name} is defined twice.`);
    const operation = { name, ...given };
    registered.set(name, operation);
    bySubject.set(given.subject, [...(bySubject.get(given.subject) ?? []), operation]);
  }
}

/** The operation of that name. Throws when no policy defines it. */
export function operationNamed(name: string): Operation {
  const operation = registered.get(name);
  if (!operation) throw new Error(`No policy defines the operation ${name}.`);
  return operation;
}

export const findOperation = (name: string): Operation | undefined => registered.get(name);

export const allOperations = (): Operation[] => [...registered.values()];

export const operationsOn = (subject: string): Operation[] => bySubject.get(subject as SubjectName) ?? [];
