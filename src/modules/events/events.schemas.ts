import { z } from 'zod';

export const listEventsSchema = z.strictObject({
  after: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Cursor of the last event that was read; absent: from the first'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
export type ListEvents = z.infer<typeof listEventsSchema>;

const eventSchema = z.object({
  id: z.uuid(),
  type: z
    .string()
    .describe('`study.ready`, `volume.ready`, `order.failed`, `upload.rejected` or `result.delivered`'),
  occurred_at: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()).describe('Ids and codes; what they stand for is read with them'),
});

export const eventPageSchema = z.object({
  items: z.array(eventSchema),
  next_cursor: z.string().nullable().describe('For `after`, next time; stays the same while nothing happens'),
});
export type EventPage = z.infer<typeof eventPageSchema>;
