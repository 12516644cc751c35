import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import { parseStorageEvents } from '../../../src/modules/uploads/storage-events.js';
import type { CephGateway } from '../../support/ceph.js';
import { eventually } from '../../support/client.js';
import { clientOf, uniqueName } from './s3-target.js';

/** What a bucket really sends to an HTTP endpoint, read by our parser. */
export function describeNotifications(gateway: () => Promise<CephGateway>): void {
  describe('notifications of the bucket', () => {
    let server: Server;
    let client: S3Client;
    let Bucket: string;
    const received: { path: string; keys: string[] }[] = [];

    beforeAll(async () => {
      server = createServer((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          const body = JSON.parse(Buffer.concat(parts).toString()) as unknown;
          received.push({ path: request.url!, keys: parseStorageEvents(body) });
          response.end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { endpoint, credentials } = await gateway();
      client = clientOf({ endpoint, region: 'us-east-1', credentials });
      Bucket = uniqueName('events');
      await client.send(new CreateBucketCommand({ Bucket }));
      const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const topics = {
        plain: await createTopic(endpoint, credentials, { 'push-endpoint': `${target}/plain` }),
        cloud: await createTopic(endpoint, credentials, {
          'push-endpoint': `${target}/cloud`,
          cloudevents: 'true',
        }),
      };
      await client.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket,
          NotificationConfiguration: {
            TopicConfigurations: Object.entries(topics).map(([Id, TopicArn]) => ({
              Id,
              TopicArn,
              Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
            })),
          },
        }),
      );
    }, 120_000);
    afterAll(async () => {
      client?.destroy();
      await new Promise((resolve) => server.close(resolve));
    });

    it('name what was created, plain and as CloudEvents, whatever the key', async () => {
      const [odd, copy] = ['staging/o/a b+c%20ä', 'staging/o/copy'];
      await client.send(new PutObjectCommand({ Bucket, Key: odd, Body: 'x' }));
      await client.send(
        new CopyObjectCommand({ Bucket, Key: copy, CopySource: `${Bucket}/${encodeURIComponent(odd)}` }),
      );
      await client.send(new DeleteObjectCommand({ Bucket, Key: copy }));
      const seen = await eventually(
        () => Promise.resolve(received),
        ({ length }) => length >= 6,
      );
      for (const path of ['/plain', '/cloud'])
        expect(seen.filter((one) => one.path === path).map(({ keys }) => keys)).toEqual([[odd], [copy], []]);
    });
  });
}

class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(data as string);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }

  reset(): void {
    throw new Error('is used once');
  }
}

/** CreateTopic as RGW has it ("Bucket notifications", Ceph Object Gateway): the SNS action on the S3 endpoint. */
async function createTopic(
  endpoint: string,
  credentials: CephGateway['credentials'],
  attributes: Record<string, string>,
): Promise<string> {
  const { hostname, port, host } = new URL(endpoint);
  const body = new URLSearchParams({
    Action: 'CreateTopic',
    Name: uniqueName('topic'),
    Version: '2010-03-31',
  });
  Object.entries(attributes).forEach(([key, value], index) => {
    body.set(`Attributes.entry.${index + 1}.key`, key);
    body.set(`Attributes.entry.${index + 1}.value`, value);
  });
  const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256: Sha256 });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
  });
  const answer = await (await fetch(endpoint, { method: 'POST', headers, body: body.toString() })).text();
  const arn = /<TopicArn>(.*?)<\/TopicArn>/.exec(answer)?.[1];
  if (!arn) throw new Error(`No topic was made: ${answer}`);
  return arn;
}
