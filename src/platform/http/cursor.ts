import { z } from 'zod';
import { validationError } from '../errors/application-error.js';

/** Makes cursors of what a page ended with, and reads those of callers. */
interface Cursors<Ended> {
  encode(ended: Ended): string;
  /** Throws the 400 of a cursor that is not one of ours. */
  decode(cursor: string): Ended;
}

/** The cursors of a list whose pages end with what the schema says; JSON that fits it. */
export const cursorOf = <Ended>(schema: z.ZodType<Ended>): Cursors<Ended> => ({
  encode: (ended) => Buffer.from(JSON.stringify(ended)).toString('base64url'),
  decode(cursor) {
    try {
      return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    } catch {
      throw validationError([{ path: 'cursor', message: 'is not a cursor of this API' }]);
    }
  },
});

/** Nothing of ours is older than the epoch, and Postgres knows no year 0. */
const timeSchema = z.iso.datetime().refine((time) => Date.parse(time) >= 0);
const positions = cursorOf(z.tuple([timeSchema, z.uuid()]));

/** Where a keyset page ended: creation time and id of its last row. */
export interface Position {
  createdAt: Date;
  id: string;
}

export const encodeCursor = ({ createdAt, id }: Position): string =>
  positions.encode([createdAt.toISOString(), id]);

/** Throws the 400 of a cursor that is not one of ours. */
export function decodeCursor(cursor: string): Position {
  const [createdAt, id] = positions.decode(cursor);
  return { createdAt: new Date(createdAt), id };
}

/** What every list takes, in its query. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(200).optional(),
};

/** What every list answers. */
export const pageSchemaOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().optional() });

/** How the rows of a page are asked for; see {@link pageOf}. */
export const newestFirst = (
  limit: number,
): { orderBy: ({ createdAt: 'desc' } | { id: 'desc' })[]; take: number } => ({
  orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  take: limit + 1,
});

/**
 * One page of the newest first, of rows of which one more than its `limit` was asked for: whether that came says whether
 * there is a next page, whose cursor is `next`.
 */
export function pageOf<Row extends Position>(rows: Row[], limit: number): { page: Row[]; next?: string } {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { page, ...(last && { next: encodeCursor(last) }) };
}

/** A page as a list answers it, of rows as {@link pageOf} takes them. */
export function toPage<Row extends Position, Item>(
  rows: Row[],
  limit: number,
  toItem: (row: Row) => Item,
): { items: Item[]; next_cursor?: string } {
  const { page, next } = pageOf(rows, limit);
  return { items: page.map((row) => toItem(row)), ...(next && { next_cursor: next }) };
}

/** What a page of the newest first goes on with: conditions on rows with a time, in a column of that name, and an id. */
export function olderThan<Column extends string = 'createdAt'>(
  cursor: string,
  column: Column = 'createdAt' as Column,
) {
  const { createdAt, id } = decodeCursor(cursor);
  const time = (condition: { lt: Date } | { lte: Date }) =>
    ({ [column]: condition }) as Record<Column, typeof condition>;
  // The first condition says nothing new, but an index can begin with it.
  return [time({ lte: createdAt }), { OR: [time({ lt: createdAt }), { id: { lt: id } }] }];
}
