import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ApplicationError } from '../../platform/errors/application-error.js';
import { parseStorageEvents } from './storage-events.js';

const KEY = 'staging/01890a5d-ac96-774b-bcce-b302099a8057/01890a5d-ac96-774b-bcce-b302099a8058';

const formEncoded = (key: string) => encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
const record = (key: string, eventName = 'ObjectCreated:Put', eventSource = 'aws:s3') => ({
  eventVersion: '2.1',
  eventSource,
  awsRegion: 'us-east-1',
  eventTime: '2026-01-01T00:00:00.000Z',
  eventName,
  userIdentity: { principalId: 'AWS:1' },
  s3: {
    s3SchemaVersion: '1.0',
    configurationId: 'landed',
    bucket: { name: 'scandock', ownerIdentity: { principalId: '1' }, arn: 'arn:aws:s3:::scandock' },
    object: {
      key: eventSource === 'ceph:s3' ? key : formEncoded(key),
      size: 1024,
      eTag: 'd41d8cd98f00b204e9800998ecf8427e',
      sequencer: '0A1B',
    },
  },
});
const sns = (message: unknown, Type = 'Notification') => ({
  Type,
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: 'arn:aws:sns:us-east-1:123456789012:landed',
  Message: typeof message === 'string' ? message : JSON.stringify(message),
  Timestamp: '2026-01-01T00:00:00.000Z',
});
const eventBridge = (key: string, type = 'Object Created') => ({
  version: '0',
  id: '17793124-05d4-b198-2fde-7ededc63b103',
  'detail-type': type,
  source: 'aws.s3',
  detail: {
    version: '0',
    bucket: { name: 'scandock' },
    object: { key, size: 5, etag: 'b1', sequencer: '0A' },
    reason: 'PutObject',
  },
});
const r2 = (key: string, action = 'PutObject') => ({
  account: '3f4b7e3dcab231cbfdaa90a6a28bd548',
  action,
  bucket: 'scandock',
  object: { key, size: 65536, eTag: 'c846ff7a18f28c2e262116d6e8719ef0' },
  eventTime: '2026-01-01T00:00:00.000Z',
});
const cloudEvent = (data: unknown, type = 'com.amazonaws.s3.ObjectCreated:Put') => ({
  specversion: '1.0',
  type,
  source: 'ceph:s3..scandock',
  id: '1.2',
  subject: KEY,
  datacontenttype: 'application/json',
  data,
});

/** Every way the creation of an object is told. */
const TOLD: [string, (key: string) => unknown][] = [
  ['S3', (key) => ({ Records: [record(key)] })],
  ['S3, a copy', (key) => ({ Records: [record(key, 's3:ObjectCreated:Copy')] })],
  ['S3, a multipart upload', (key) => ({ Records: [record(key, 'ObjectCreated:CompleteMultipartUpload')] })],
  ['S3 by SNS', (key) => sns({ Records: [record(key)] })],
  ['S3 by SNS, as text', (key) => JSON.stringify(sns({ Records: [record(key)] }))],
  ['S3 by EventBridge', eventBridge],
  ['EventBridge by SNS', (key) => sns(eventBridge(key))],
  ['R2', r2],
  ['R2, a copy', (key) => r2(key, 'CopyObject')],
  ['R2, a multipart upload', (key) => r2(key, 'CompleteMultipartUpload')],
  ['R2, a list', (key) => [r2(key)]],
  ['R2, a batch', (key) => ({ messages: [r2(key)] })],
  ['R2, a batch of messages', (key) => ({ queue: 'q', messages: [{ id: '1', body: r2(key) }] })],
  ['R2, a batch of texts', (key) => ({ messages: [{ id: '1', body: JSON.stringify(r2(key)) }] })],
  [
    'R2, a batch in base64',
    (key) => ({ messages: [{ id: '1', body: Buffer.from(JSON.stringify(r2(key))).toString('base64') }] }),
  ],
  ['Ceph', (key) => ({ Records: [record(key, 'ObjectCreated:Put', 'ceph:s3')] })],
  ['Ceph, with the prefix', (key) => ({ Records: [record(key, 's3:ObjectCreated:Put', 'ceph:s3')] })],
  ['CloudEvents around a record', (key) => cloudEvent(record(key))],
  ['CloudEvents around a record of Ceph', (key) => cloudEvent(record(key, 'ObjectCreated:Put', 'ceph:s3'))],
  [
    'CloudEvents around its rest',
    (key) => cloudEvent({ s3: record(key).s3 }, 'com.amazonaws.s3:ObjectCreated:Put'),
  ],
  ['CloudEvents around records', (key) => cloudEvent({ Records: [record(key)] })],
];

function failureOf(body: unknown): ApplicationError | undefined {
  try {
    parseStorageEvents(body);
    return undefined;
  } catch (error) {
    return error as ApplicationError;
  }
}

describe('a notification of the bucket', () => {
  it.each(TOLD)('by %s tells the key', (_, tell) => {
    expect(parseStorageEvents(tell(KEY))).toEqual([KEY]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }), (key) => {
        expect(parseStorageEvents(tell(key))).toEqual([key]);
      }),
    );
  });

  it('tells each key once, in its order, and those of created objects only', () => {
    expect(
      parseStorageEvents({
        Records: [
          record('b'),
          record('x', 'ObjectRemoved:Delete'),
          record('a'),
          record('b'),
          record('y', 's3:ObjectTagging:Put'),
        ],
      }),
    ).toEqual(['b', 'a']);
    expect(
      parseStorageEvents([r2('1'), r2('2', 'DeleteObject'), r2('3', 'LifecycleDeletion'), r2('4')]),
    ).toEqual(['1', '4']);
  });

  it.each<[string, unknown]>([
    [
      'a test of S3',
      { Service: 'Amazon S3', Event: 's3:TestEvent', Time: '2026-01-01T00:00:00.000Z', Bucket: 'scandock' },
    ],
    ['a test of S3 by SNS', sns({ Service: 'Amazon S3', Event: 's3:TestEvent' })],
    ['a subscription', sns('You have chosen to subscribe to the topic.', 'SubscriptionConfirmation')],
    ['the end of one', sns('You have chosen to deactivate.', 'UnsubscribeConfirmation')],
    ['a removal', { Records: [record(KEY, 's3:ObjectRemoved:DeleteMarkerCreated')] }],
    ['a removal by EventBridge', eventBridge(KEY, 'Object Deleted')],
    ['a removal by R2', r2(KEY, 'DeleteObject')],
    ['a removal by CloudEvents', cloudEvent(record(KEY, 'ObjectRemoved:Delete'))],
    ['an event without an object', { Records: [{ eventName: 's3:Replication:OperationMissedThreshold' }] }],
    ['a name that only looks like it', { Records: [record(KEY, 'NotObjectCreated:Put')] }],
    ['no records', { Records: [] }],
    ['no messages', { messages: [] }],
    ['no events', []],
  ])('has no keys: %s', (_, body) => {
    expect(parseStorageEvents(body)).toEqual([]);
  });

  it('takes what was not encoded as it is', () => {
    const raw = { ...record(''), s3: { object: { key: '100%' } } };
    expect(parseStorageEvents({ Records: [raw] })).toEqual(['100%']);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['a text', 'Records', ''],
    ['an empty object', {}, ''],
    ['something else', { hello: 'world' }, ''],
    ['records that are no list', { Records: {} }, 'Records'],
    ['a record that is none', { Records: [7] }, 'Records.0'],
    ['a record without a name', { Records: [record(KEY), { s3: {} }] }, 'Records.1.eventName'],
    [
      'a record without a key',
      { Records: [{ eventName: 'ObjectCreated:Put', s3: { object: {} } }] },
      'Records.0.s3.object.key',
    ],
    ['an empty key', { Records: [record('')] }, 'Records.0.s3.object.key'],
    ['a key of another type', r2(7 as never), 'object.key'],
    ['a key longer than any', r2('k'.repeat(3073)), 'object.key'],
    ['an action of another type', { action: 1, object: { key: 'k' } }, 'action'],
    ['another source', { ...eventBridge(KEY), source: 'aws.ec2' }, 'source'],
    ['a message that is no JSON', sns('Records'), 'Message'],
    ['no message', { Type: 'Notification' }, 'Message'],
    [
      'envelopes without end',
      sns(sns(sns(sns(sns({ Records: [record(KEY)] }))))),
      'Message.Message.Message.Message',
    ],
    ['lists without end', [[[[[r2(KEY)]]]]], '0.0.0.0'],
    ['a cloud event without data', cloudEvent(undefined), 'data.s3'],
    ['a body that is no JSON', { messages: [{ body: '{' }] }, 'messages.0.body'],
  ])('is refused when it is %s', (_, body, path) => {
    const failure = failureOf(body);
    expect([failure?.code, failure?.status, failure?.details[0]?.path]).toEqual([
      'validation_error',
      400,
      path,
    ]);
    expect(failure!.message).not.toContain(KEY);
  });

  it('holds a thousand events and no more', () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `k/${index}`);
    expect(parseStorageEvents({ Records: keys.map((key) => record(key)) })).toEqual(keys);
    expect(failureOf({ Records: [...keys, 'one'].map((key) => record(key)) })?.message).toContain(
      'more than 1000',
    );
    const halves = [keys.slice(0, 600), keys.slice(0, 600)].map((half) => ({
      Records: half.map((key) => record(key)),
    }));
    expect(failureOf(halves)?.message).toContain('more than 1000');
  });

  it('is never anything but keys or a validation error', () => {
    const names = [
      'Records',
      'messages',
      'body',
      'Type',
      'Message',
      'detail-type',
      'detail',
      'specversion',
      'data',
      'action',
      'object',
      's3',
      'key',
      'eventName',
    ];
    const values = fc.oneof(
      fc.constantFrom('Notification', 'Object Created', 'PutObject', 'ObjectCreated:Put'),
      fc.jsonValue(),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium' },
        values,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (body) => {
        const failure = failureOf(body);
        if (failure)
          expect([failure.constructor, failure.code]).toEqual([ApplicationError, 'validation_error']);
      }),
      { numRuns: 1000 },
    );
  });
});
