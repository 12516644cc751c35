import { z } from 'zod';
import { validationError } from '../../platform/errors/application-error.js';

/** Most events one notification may hold: queues send ten, R2 a hundred. */
const MAX_EVENTS = 1000;
/** An envelope around a batch around an event: deeper, nobody nests them. */
const MAX_DEPTH = 3;

/** 1,024 bytes at most, each of which may be three characters of an encoded key. */
const key = z
  .string()
  .min(1)
  .max(3 * 1024);
const created = /(^|[.:])ObjectCreated:/;

/** A record of Amazon S3 ("Event message structure"), whose key is form-encoded, or of Ceph RGW, whose key is as it is. */
const s3Record = z.looseObject({
  eventName: z.string(),
  eventSource: z.string().optional(),
  s3: z.looseObject({ object: z.looseObject({ key }) }),
});
/** "Amazon S3 event message structure for EventBridge": keys are as they are. */
const eventBridgeEvent = z.looseObject({
  source: z.literal('aws.s3'),
  detail: z.looseObject({ object: z.looseObject({ key }) }),
});
/** "R2 event notifications, message format": keys are as they are. */
const r2Event = z.looseObject({ action: z.string(), object: z.looseObject({ key }) });
const R2_CREATES = ['PutObject', 'CompleteMultipartUpload', 'CopyObject'];

type Json = Record<string, unknown>;

/**
 * The keys of the objects that a notification of the bucket says were created, each once. Amazon S3 (direct, by SNS, by
 * EventBridge), Cloudflare R2 (single, as a list, as a batch of a queue) and Ceph RGW (also as CloudEvents, binary or
 * structured) are understood; what tells of anything else (removals, tests, subscriptions) has no keys. Which keys are
 * ours is for the caller to see.
 * @throws validation_error for what is none of these, and for more than 1,000 events
 */
export function parseStorageEvents(body: unknown): string[] {
  // SNS sends its JSON as text/plain.
  const keys = keysIn(typeof body === 'string' ? parsed(body, '') : body, '', MAX_DEPTH);
  if (keys.length > MAX_EVENTS) throw malformed('', `holds more than ${MAX_EVENTS} events`);
  return [...new Set(keys)];
}

function keysIn(body: unknown, path: string, depth: number): string[] {
  if (depth < 0) throw malformed(path, 'is nested too deeply');
  if (Array.isArray(body)) return all(body, path, (event, at) => keysIn(event, at, depth - 1));
  if (typeof body !== 'object' || body === null) throw malformed(path, 'is no notification of a bucket');
  const event = body as Json;
  if ('Records' in event) return all(event.Records, `${path}Records.`, keyOfRecord);
  if ('messages' in event)
    return all(event.messages, `${path}messages.`, (one, at) => keysIn(bodyOf(one, at), at, depth - 1));
  if (event.Event === 's3:TestEvent') return [];
  if (typeof event.Type === 'string') return keysOfSns(event, path, depth);
  if ('detail-type' in event)
    return event['detail-type'] === 'Object Created'
      ? [checked(eventBridgeEvent, event, path).detail.object.key]
      : [];
  if ('specversion' in event) return keysOfCloudEvent(event, path, depth);
  if ('action' in event) {
    const { action, object } = checked(r2Event, event, path);
    return R2_CREATES.includes(action) ? [object.key] : [];
  }
  throw malformed(path, 'is no notification of a bucket');
}

/** Amazon SNS, "HTTP/HTTPS notification JSON format": the event is text inside. */
function keysOfSns(envelope: Json, path: string, depth: number): string[] {
  if (envelope.Type !== 'Notification') return []; // a subscription begins or ends
  return keysIn(parsed(envelope.Message, `${path}Message`), `${path}Message.`, depth - 1);
}

/** CloudEvents 1.0, structured: the type has the event's name, the data the rest of the record. */
function keysOfCloudEvent({ type, data }: Json, path: string, depth: number): string[] {
  if (typeof data === 'object' && data !== null && 'Records' in data)
    return keysIn(data, `${path}data.`, depth - 1);
  return keyOfRecord({ eventName: type, ...(data as Json | undefined) }, `${path}data.`);
}

function keyOfRecord(record: unknown, path: string): string[] {
  const { eventName } = checked(z.looseObject({ eventName: z.string() }), record, path);
  if (!created.test(eventName)) return [];
  const { eventSource, s3 } = checked(s3Record, record, path);
  return [eventSource === 'ceph:s3' ? s3.object.key : formDecoded(s3.object.key)];
}

/** A message of a queue has its event as body: an object, JSON text, or that in base64 (Cloudflare Queues, HTTP pull). */
function bodyOf(message: unknown, path: string): unknown {
  if (typeof message !== 'object' || message === null || !('body' in message)) return message;
  const { body } = message;
  if (typeof body !== 'string') return body;
  return parsed(
    body.trimStart().startsWith('{') ? body : Buffer.from(body, 'base64').toString('utf8'),
    `${path}body`,
  );
}

function all(list: unknown, path: string, keysOf: (one: unknown, path: string) => string[]): string[] {
  if (!Array.isArray(list)) throw malformed(path.slice(0, -1), 'must be a list');
  if (list.length > MAX_EVENTS) throw malformed(path.slice(0, -1), `holds more than ${MAX_EVENTS} events`);
  return list.flatMap((one, index) => keysOf(one, `${path}${index}.`));
}

function parsed(text: unknown, path: string): unknown {
  try {
    return JSON.parse(text as string) as unknown;
  } catch {
    throw malformed(path, 'must be JSON text');
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw validationError(
    result.error.issues.map((issue) => ({
      path: [...path.split('.').filter(Boolean), ...issue.path].join('.'),
      message: issue.message,
    })),
  );
}

/** `application/x-www-form-urlencoded`; what cannot be decoded was not encoded. */
function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

const malformed = (path: string, message: string) =>
  validationError([{ path: path.replace(/\.$/, ''), message }]);
