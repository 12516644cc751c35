import { z } from 'zod';
import type { Prisma } from '../../generated/prisma/client.js';
import { isUuid } from '../../platform/database/id.js';
import { plainText } from '../../platform/http/validation.js';
import { ACTOR_KINDS, OUTCOMES } from './audit.events.js';

const word = plainText(200);

/** The id of a row of ours, or what names something that has no row. Rows' ids are in lower case in the ledger. */
const reference = word.transform((id) => (isUuid(id) ? id.toLowerCase() : id));

/** Which events are wanted: all that is given must be so. Times are a half-open interval, like every one of ours. */
export const eventFilterSchema = z.strictObject({
  actor_kind: z.enum(ACTOR_KINDS).optional(),
  actor_id: reference.optional(),
  action: word.optional(),
  outcome: z.enum(OUTCOMES).optional(),
  resource_type: word.optional(),
  resource_id: reference.optional(),
  patient: reference.optional(),
  study: reference.optional(),
  request_id: word.optional(),
});

export type EventFilter = z.output<typeof eventFilterSchema>;

/** The filter as a condition on the rows of one organization. What is not asked for is not in it: a plan fits what is. */
export const whereEvent = (filter: EventFilter): Prisma.AuditEventWhereInput => ({
  actorKind: filter.actor_kind,
  actorId: filter.actor_id,
  action: filter.action,
  outcome: filter.outcome,
  resourceType: filter.resource_type,
  resourceId: filter.resource_id,
  patientRef: filter.patient,
  studyRef: filter.study,
  requestId: filter.request_id,
});
