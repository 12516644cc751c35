import { z } from 'zod';
import { isInterval, plainText, uuid, writtenInstant } from '../../platform/http/validation.js';
import { metadataPatchSchema, metadataQuerySchema } from '../metadata/metadata.schemas.js';
import { uidSchema } from '../studies/studies.schemas.js';
import { ORDER_STATES } from './order-state.js';

/** Any UUID for reading: orders' own are version 4, and what is none is simply not there. */
export const orderIdSchema = uuid;
/** Version 4 for making one (seed 001). */
export const newOrderIdSchema = z.uuidv4('must be a UUIDv4').transform((id) => id.toLowerCase());

/** Metadata as the body itself, or under `metadata`; beside either, an `order_id` the caller brings. */
export const newOrderBodySchema = z
  .record(z.string(), z.unknown(), 'must be a JSON object')
  .meta({
    description: 'Metadata by DICOM keyword or tag: the body itself, or under `metadata`',
    properties: {
      order_id: { type: 'string', format: 'uuid', description: 'Your own UUIDv4, instead of in the query' },
      metadata: { type: 'object' },
    },
    examples: [{ PatientID: 'P-1', AccessionNumber: 'A-1' }],
  })
  .nullish()
  .transform((body) => {
    const { order_id, ...rest } = body ?? {};
    return {
      order_id,
      metadata: 'metadata' in rest && Object.keys(rest).length === 1 ? rest.metadata : rest,
    };
  })
  .pipe(
    z.strictObject({
      order_id: z.unknown().pipe(newOrderIdSchema.optional()),
      metadata: z.unknown().pipe(metadataPatchSchema),
    }),
  );
export type NewOrderBody = z.infer<typeof newOrderBodySchema>;

export const newOrderQuerySchema = z.strictObject({
  order_id: newOrderIdSchema.optional().describe('Your own UUIDv4, unused within your organization'),
  metadata: metadataQuerySchema.optional(),
});
export type NewOrderQuery = z.infer<typeof newOrderQuerySchema>;

export const createdOrderSchema = z.object({ order_id: z.uuidv4() });
export type CreatedOrder = z.infer<typeof createdOrderSchema>;

const sha256 = z
  .string()
  .regex(/^(?:[0-9a-f]{64}|[A-Za-z0-9+/]{43}=)$/i, 'must be a SHA-256, as 64 hex digits or base64')
  .transform((value) => Buffer.from(value, value.length === 64 ? 'hex' : 'base64'));

const size = z.coerce.number().int().min(0).describe('Bytes, at most 5 GiB; signed into the URL');

/** All of it is optional: the content decides what an object is. */
export const declarationSchema = z.strictObject({
  order_id: orderIdSchema.optional(),
  filename: plainText(255).optional(),
  size: size.optional(),
  sha256: sha256.optional(),
});
export type DeclarationInput = z.infer<typeof declarationSchema>;

export const issuedUploadSchema = z.object({
  url: z.url().describe('PUT the object here within 900 s; the upload id is in the header x-upload-id'),
  key: z.string(),
});
export type IssuedUploadUrl = z.infer<typeof issuedUploadSchema>;

/** One of the two. */
export const targetSchema = z
  .strictObject({ order_id: orderIdSchema.optional(), study_uid: uidSchema.optional() })
  .refine(
    ({ order_id, study_uid }) => (order_id === undefined) !== (study_uid === undefined),
    'give order_id or study_uid, one of the two',
  );
export type Target = z.infer<typeof targetSchema>;

export const studyTargetSchema = z.strictObject({ study_uid: uidSchema });
export type StudyTarget = z.infer<typeof studyTargetSchema>;

const attributeSchema = z.object({
  value: z.unknown(),
  origin: z.enum(['api', 'sidecar', 'tag']),
  tag_value: z.unknown().optional(),
});

export const metadataSchema = z.object({
  order_id: z.uuid(),
  state: z.enum(ORDER_STATES),
  attributes: z.record(z.string(), attributeSchema),
  missing_metadata: z.array(z.string()),
});
export type OrderMetadata = z.infer<typeof metadataSchema>;

const countsSchema = z.object({
  issued: z.int(),
  landed: z.int(),
  verified: z.int(),
  registered: z.int(),
  rejected: z.int(),
  expired: z.int(),
});

const rejectedSchema = z.object({
  upload_id: z.uuid(),
  name: z.string().optional(),
  rule: z.string(),
  message: z.string(),
  where: z.string().optional(),
});

export const statusSchema = z.object({
  order_id: z.uuid(),
  state: z.enum(ORDER_STATES),
  study_uids: z.array(z.string()),
  submission: z
    .object({ study_uid: z.string(), generation: z.int(), state: z.enum(['open', 'closed', 'superseded']) })
    .optional(),
  closes_at: z.iso.datetime().optional().describe('When the group closes if nothing more lands'),
  counts: countsSchema,
  missing_metadata: z.array(z.string()),
  rejected: z.array(rejectedSchema).describe('The first 1000'),
});
export type OrderStatus = z.infer<typeof statusSchema>;

export const orderDetailSchema = statusSchema.extend({
  origin: z.enum(['created', 'assembled']),
  created_at: z.iso.datetime(),
  closed_at: z.iso.datetime().optional(),
  volumes: z.array(
    z.object({ volume_id: z.uuid(), dimensions: z.array(z.int()), volumes: z.int(), upload_id: z.uuid() }),
  ),
  attributes: z.record(z.string(), attributeSchema),
});
export type OrderDetail = z.infer<typeof orderDetailSchema>;

export const listOrdersSchema = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: z.string().min(1).max(200).optional(),
    study_uid: uidSchema.optional(),
    created_from: writtenInstant.optional(),
    created_to: writtenInstant.optional(),
  })
  .refine(...isInterval('created_from', 'created_to'));
export type ListOrders = z.infer<typeof listOrdersSchema>;

export const orderPageSchema = z.object({
  items: z.array(
    z.object({
      order_id: z.uuid(),
      origin: z.enum(['created', 'assembled']),
      state: z.enum(ORDER_STATES),
      study_uids: z.array(z.string()),
      counts: countsSchema,
      missing_metadata: z.array(z.string()),
      created_at: z.iso.datetime(),
    }),
  ),
  next_cursor: z.string().optional(),
});
export type OrderPage = z.infer<typeof orderPageSchema>;

export const orderIdsSchema = z.object({ order_ids: z.array(z.uuid()) });
export type OrderIds = z.infer<typeof orderIdsSchema>;

export const failureReportSchema = z.object({
  order_id: z.uuid(),
  state: z.enum(ORDER_STATES),
  failed_at: z.iso.datetime().optional(),
  failures: z.array(
    rejectedSchema.extend({
      where: z.string().optional().describe('The place in the object'),
      size: z.int().optional(),
      rejected_at: z.iso.datetime(),
      archive_upload_id: z.uuid().optional().describe('The ZIP it was an entry of'),
    }),
  ),
  truncated: z.boolean().describe('Whether there are more than the 1000 listed'),
});
export type FailureReport = z.infer<typeof failureReportSchema>;
