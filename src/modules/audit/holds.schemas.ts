import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { instant, isInterval, plainText } from '../../platform/http/validation.js';

export const placeHoldSchema = z
  .strictObject({
    reference: plainText(100).describe('The matter’s number, and nothing of a person'),
    from: instant.optional().describe('Events from then on are kept; absent: however old'),
    to: instant.optional().describe('Events before then are kept; absent: whatever comes'),
  })
  .refine(...isInterval());
export type PlaceHold = z.output<typeof placeHoldSchema>;

export const listHoldsSchema = z.strictObject({
  active: z
    .enum(['true', 'false'])
    .optional()
    .transform((text) => (text === undefined ? undefined : text === 'true'))
    .describe('`true`: those that were not released; `false`: those that were'),
  ...pageQuery,
});
export type ListHolds = z.output<typeof listHoldsSchema>;

const actorSchema = z.object({ kind: z.string(), id: z.uuid() });

export const holdSchema = z.object({
  id: z.uuid(),
  reference: z.string(),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  active: z.boolean(),
  placed_at: z.iso.datetime(),
  placed_by: actorSchema,
  released_at: z.iso.datetime().optional(),
  released_by: actorSchema.optional(),
});
export type HoldView = z.infer<typeof holdSchema>;

export const holdPageSchema = pageSchemaOf(holdSchema);
export type HoldPage = z.infer<typeof holdPageSchema>;
