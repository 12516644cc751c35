import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562): ids of one process are in the order of their making, which keeps indexes compact. */
export const newId = (): string => v7();
