import { z } from 'zod';

/** What every success of a portal's routes says beside its own members (seed 004). */
export const doneSchema = z.object({ status: z.literal(200), success: z.literal(true) });
type Done = z.infer<typeof doneSchema>;

export const DONE: Done = { status: 200, success: true };

/** A success with data, of which it says nothing itself. */
export const envelope = <T extends z.ZodType>(data: T) => doneSchema.extend({ data });

export type Enveloped<T> = Done & { data: T };

export const enveloped = <T>(data: T): Enveloped<T> => ({ ...DONE, data });
