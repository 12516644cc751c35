import type { Scope } from './scopes.js';

/** What an operation acts on: a Prisma model's name, or a name of our own for what has no row. */
export type SubjectName =
  | 'Exam'
  | 'Upload'
  | 'Order'
  | 'Study'
  | 'Result'
  | 'Event'
  | 'Organization'
  | 'Token'
  | 'ShareLink'
  | 'System';

export interface Operation {
  /** `<module>:<verb>`: the one name in permission, OpenAPI, log, metric and audit. */
  name: string;
  subject: SubjectName;
  /** The scope a token needs; absent where the route is public. */
  scope?: Scope;
  /**
   * Who writes the event of a success: the service, in the transaction of the change, or the response hook (reads).
   * Failures and denials are always the hook's. `never`: neither success nor failure says anything about anybody.
   */
  audited: 'transaction' | 'response' | 'never';
}

const registered = new Map<string, Operation>();

/** Registers a module's operations (its `*.policy.ts`). Features register here, so that access never imports them. */
export function defineOperations(operations: Record<string, Omit<Operation, 'name'>>): void {
  for (const [name, operation] of Object.entries(operations)) {
    if (registered.has(name)) throw new Error(`Operation ${name} is defined twice.`);
    registered.set(name, { name, ...operation });
  }
}

/** The operation of that name. Throws when no policy defines it. */
export function operationNamed(name: string): Operation {
  const operation = registered.get(name);
  if (!operation) throw new Error(`No policy defines the operation ${name}.`);
  return operation;
}

export const allOperations = (): Operation[] => [...registered.values()];
