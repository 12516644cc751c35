import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { isInterval, writtenInstant } from '../../platform/http/validation.js';
import { OUTCOMES } from './audit.events.js';
import { eventFilterSchema } from './event.filter.js';

/** Events are told apart by the millisecond: a bound between two of them would have to be rounded. */
const TO_THE_MILLISECOND = /^[^.]*(\.\d{1,3}\D.*)?$/;

const time = writtenInstant.refine(
  (text) => TO_THE_MILLISECOND.test(text),
  'must not be finer than a millisecond',
);

export const listEventsSchema = z
  .strictObject({
    from: time.optional().describe('The earliest time that is wanted'),
    to: time.optional().describe('The first time that is not wanted any more'),
    ...eventFilterSchema.shape,
    ...pageQuery,
  })
  .refine(...isInterval());
export type ListEvents = z.output<typeof listEventsSchema>;

export const eventSchema = z.object({
  id: z.uuid(),
  time: z.iso.datetime(),
  actor: z.object({ kind: z.string(), id: z.string().nullable(), label: z.string().nullable() }),
  action: z.string().describe('The name of the operation'),
  outcome: z.enum(OUTCOMES),
  resource: z.object({ type: z.string().nullable(), id: z.string().nullable() }),
  patient: z.string().nullable().describe('The id of the user the event is about'),
  study: z.string().nullable().describe('The id of our row of the study the event is about'),
  request_id: z.string().nullable(),
  trace_id: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  scopes: z.array(z.string()),
  detail: z.record(z.string(), z.unknown()),
});
export type EventView = z.infer<typeof eventSchema>;

export const eventPageSchema = pageSchemaOf(eventSchema);
export type EventPage = z.infer<typeof eventPageSchema>;

export const sealedEventSchema = eventSchema.extend({
  sealed: z.boolean().describe('No event is in its first minute'),
  seal: z
    .object({
      number: z.int().describe('Of the seal it came under'),
      position: z.int().describe('Its place in the ledger of the organization, which begins at 1'),
      sealed_at: z.iso.datetime(),
    })
    .optional(),
});
export type SealedEventView = z.infer<typeof sealedEventSchema>;
