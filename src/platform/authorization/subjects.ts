import type { Prisma } from '../../generated/prisma/client.js';
import type { SubjectName } from './operations.js';

/**
 * What a condition of a custom role may ask of a column: to name the caller (`${principal.id}`) or somebody (an id), to be
 * true or false; or, of a relation, the same of the row it leads to.
 */
export type ConditionKind = 'principal' | 'boolean' | { [column: string]: ConditionKind };

/** The one resource a binding may be limited to. */
export interface ResourceLimit {
  type: SubjectName;
  id: string;
}

/** Where the rows of a subject are. */
export interface SubjectRows {
  /** The property of a Prisma transaction. */
  model: Uncapitalize<Prisma.ModelName>;
  /** The column its id is in, as callers of the API know it. Absent: `id`. */
  key?: 'studyInstanceUid';
  /** The column that names the organization. Absent: `organizationId`. */
  tenant?: 'id';
  /** What is true of all rows that anybody may still do something to. */
  live?: Record<string, unknown>;
}

export interface Subject {
  /** Absent: there is nothing with an id. */
  rows?: SubjectRows;
  /** Columns that conditions of a custom role may use. Absent: it has none, a role allows all rows or nothing. */
  conditions?: Record<string, ConditionKind>;
  /** By type of the resource a binding is limited to: which rows belong to it. Absent: a limited binding allows nothing. */
  within?: Partial<Record<SubjectName, (id: string) => Record<string, unknown>>>;
}

const defined = new Map<SubjectName, Subject>();

/** Says what roles and bindings may ask of a subject's rows (a module's `*.policy.ts`). */
export function defineSubject(name: SubjectName, subject: Subject): void {
  if (defined.has(name)) throw new Error(`Subject ${name} is defined twice.`);
  defined.set(name, subject);
}

export const subjectNamed = (name: SubjectName): Subject => defined.get(name) ?? {};

/** What a binding may be limited to: every type some subject's rows belong to. */
export const limitTypes = (): SubjectName[] => [
  ...new Set([...defined.values()].flatMap(({ within }) => Object.keys(within ?? {}) as SubjectName[])),
];
