import { z } from 'zod';
import { validationError } from '../errors/application-error.js';

/** Nothing of ours is older than the epoch, and Postgres knows no year 0. */
const timeSchema = z.iso.datetime().refine((time) => Date.parse(time) >= 0);
const cursorSchema = z.tuple([timeSchema, z.uuid()]);

/** Where a keyset page ended: creation time and id of its last row. */
export interface Position {
  createdAt: Date;
  id: string;
}

export function encodeCursor({ createdAt, id }: Position): string {
  return Buffer.from(JSON.stringify([createdAt.toISOString(), id])).toString('base64url');
}

/** Throws the 400 of a cursor that is not one of ours. */
export function decodeCursor(cursor: string): Position {
  try {
    const [createdAt, id] = cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    return { createdAt: new Date(createdAt), id };
  } catch {
    throw validationError([{ path: 'cursor', message: 'is not a cursor of this API' }]);
  }
}

/** What a page of the newest first goes on with: conditions on rows with a creation time and an id. */
export function olderThan(cursor: string) {
  const { createdAt, id } = decodeCursor(cursor);
  // The first condition says nothing new, but an index can begin with it.
  return [{ createdAt: { lte: createdAt } }, { OR: [{ createdAt: { lt: createdAt } }, { id: { lt: id } }] }];
}
