import { z } from 'zod';
import { pageSchemaOf } from '../../platform/http/cursor.js';
import { instant, isInterval, uuid } from '../../platform/http/validation.js';
import { ACTOR_KINDS, OUTCOMES } from '../audit/audit.events.js';
import { uidSchema } from '../studies/studies.schemas.js';
import { DISCLOSURE_KINDS } from './disclosure.kinds.js';

/**
 * What is asked for is in the body: a StudyInstanceUID says of a patient where they were, and queries end up in proxies'
 * logs.
 */
const asked = {
  id: uuid.optional().describe('The id of our row, also of one that is gone, as events have it'),
  study_uid: uidSchema.optional().describe('Of a study that is there, instead of its id'),
  from: instant.optional().describe('The first moment'),
  to: instant.optional().describe('The first moment no more'),
  limit: z.int().min(1).max(1000).default(100).describe('Of a page of JSON; a CSV has all'),
  cursor: z.string().min(1).max(200).optional(),
  format: z.enum(['json', 'csv']).optional().describe('Absent: by the Accept header, else JSON'),
};

interface Asked {
  type: string;
  id?: string | undefined;
  study_uid?: string | undefined;
}

const namesOne = ({ type, id, study_uid }: Asked): boolean =>
  (id === undefined) !== (study_uid === undefined) && (study_uid === undefined || type === 'study');
const NAMES_ONE = 'give id, or study_uid of a study: one of the two';

export const accessSchema = z
  .strictObject({ type: z.enum(['study', 'case', 'file']), ...asked })
  .refine(namesOne, NAMES_ONE)
  .refine(...isInterval());
export type AskAccess = z.infer<typeof accessSchema>;

export const disclosuresSchema = z
  .strictObject({
    type: z.enum(['patient', 'study', 'case', 'file']),
    ...asked,
    from: instant.optional().describe('Absent: six years back, which is the earliest'),
  })
  .refine(namesOne, NAMES_ONE)
  .refine(...isInterval());
export type AskDisclosures = z.infer<typeof disclosuresSchema>;

const who = {
  kind: z.enum(ACTOR_KINDS),
  id: z.string().optional(),
  label: z.string().optional().describe('As an administrator named it; a patient has none'),
};
const resource = z.object({ type: z.string(), id: z.string().optional() });

const accessItem = z.object({
  event_id: z.uuid(),
  time: z.iso.datetime(),
  actor: z.object(who),
  access: z.enum(['seen', 'changed', 'denied']).describe('denied: nothing was shown, nothing changed'),
  action: z.string(),
  outcome: z.enum(OUTCOMES),
  resource,
  ip: z.string().optional(),
  via: z.object({ share_link: z.string() }).optional().describe('What let somebody in who has no account'),
});
export type AccessItem = z.infer<typeof accessItem>;

const disclosureItem = z.object({
  event_id: z.uuid(),
  time: z.iso.datetime(),
  kind: z.enum(DISCLOSURE_KINDS),
  evidence: z
    .enum(['delivered', 'issued'])
    .describe('issued: a URL went out, whether or not anybody has fetched what it leads to'),
  recipient: z.object({ ...who, ip: z.string().optional() }),
  what: z.object({ resource, study: z.string().optional(), patient: z.string().optional() }),
  purpose: z.string().describe('`not stated`: Scandock is not told'),
  operation: z.string(),
});
export type DisclosureItem = z.infer<typeof disclosureItem>;

const answer = <Item extends z.ZodType>(item: Item, type: z.ZodType) =>
  pageSchemaOf(item).extend({
    type,
    id: z.uuid().describe('By which the report can be had even when the row is gone'),
    from: z.iso.datetime().optional(),
    to: z.iso.datetime().optional(),
    complete_since: z.iso
      .datetime()
      .optional()
      .describe('What is older has been taken out of the ledger here'),
    notes: z.array(z.string()).describe('What the report does not say'),
  });

export const accessReportSchema = answer(accessItem, z.enum(['study', 'case', 'file']));
export type AccessReport = z.infer<typeof accessReportSchema>;
export const disclosureReportSchema = answer(disclosureItem, z.enum(['patient', 'study', 'case', 'file']));
export type DisclosureReport = z.infer<typeof disclosureReportSchema>;
