import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562): ids of one process are in the order of their making, which keeps indexes compact. */
export const newId = (): string => v7();

/** When a UUIDv7 was made, to the millisecond; nothing of other versions, nor of a time our calendar does not reach. */
export function timeOfId(id: string): Date | undefined {
  if (id[14] !== '7') return undefined;
  const made = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return made < MAX_TIME ? new Date(made) : undefined;
}

/** The year 9999 has passed. */
const MAX_TIME = Date.UTC(10_000, 0);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether it is the text of a UUID, of any version and in either case (RFC 9562, 4). */
export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);
