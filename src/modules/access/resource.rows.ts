import { z } from 'zod';
import type { SubjectName } from '../../platform/authorization/operations.js';
import { type ConditionKind, subjectNamed, type SubjectRows } from '../../platform/authorization/subjects.js';
import type { Transaction } from '../../platform/database/database.service.js';

type Where = Record<string, unknown>;
export type ResourceRow = Record<string, unknown>;

/** One row that is asked about. */
export interface Asked {
  rows: SubjectRows;
  organizationId: string;
  /** As callers know it: a UUID, of a study its UID. */
  id: string;
}

const uid = z.string().regex(/^[0-9.]{1,64}$/);

/** The id as the database writes it; nothing when no row of that subject can have it. */
export function rowIdOf({ key }: SubjectRows, id: string): string | undefined {
  const { data } = (key === 'studyInstanceUid' ? uid : z.uuid()).safeParse(id);
  return data?.toLowerCase();
}

/** The columns of a row that conditions may ask of, and no others. Nothing: there is no such row (any more). */
export async function findResource(
  tx: Transaction,
  subject: SubjectName,
  asked: Asked,
): Promise<ResourceRow | undefined> {
  const select = { id: true, ...selectionOf(subjectNamed(subject).conditions ?? {}) };
  return (await modelOf(tx, asked).findFirst({ where: whereOf(asked), select })) ?? undefined;
}

/** Whether the row meets these conditions, as the database says. */
export async function meets(tx: Transaction, asked: Asked, conditions: Where): Promise<boolean> {
  const select = { id: true };
  return (
    (await modelOf(tx, asked).findFirst({ where: { AND: [conditions, whereOf(asked)] }, select })) !== null
  );
}

const whereOf = ({ rows, organizationId, id }: Asked): Where => ({
  AND: [{ [rows.tenant ?? 'organizationId']: organizationId }, { [rows.key ?? 'id']: id }, rows.live ?? {}],
});

/** What all models have in common, of the one that is meant. */
const modelOf = (tx: Transaction, { rows }: Asked) =>
  tx[rows.model] as unknown as {
    findFirst(given: { where: Where; select: Where }): Promise<ResourceRow | null>;
  };

const selectionOf = (columns: Record<string, ConditionKind>): Where =>
  Object.fromEntries(
    Object.entries(columns).map(([column, kind]) => [
      column,
      typeof kind === 'string' ? true : { select: selectionOf(kind) },
    ]),
  );
