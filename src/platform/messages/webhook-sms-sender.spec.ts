import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { Clock } from '../clock/clock.js';
import type { ConfigValues } from '../config/config.schema.js';
import { GuardedFetch } from '../outbound/guarded-fetch.js';
import { WebhookSmsSender } from './webhook-sms-sender.js';

const KEY = Buffer.alloc(32, 7);
const SMS = { id: 'msg-1', to: '+491701234567', text: 'Grüße: der Code ist 482913.' };

let server: Server;
let status: number;
let received: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[];
let origin: string;

beforeEach(async () => {
  received = [];
  status = 202;
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      received.push({ path: request.url, headers: request.headers, body });
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end(body); // quotes the message
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function senderTo(SMS_WEBHOOK_URL: string | undefined, privateHosts = [origin]): WebhookSmsSender {
  const config = { SMS_WEBHOOK_URL, SMS_WEBHOOK_SECRET: SMS_WEBHOOK_URL && KEY } as ConfigValues;
  return new WebhookSmsSender(config, new GuardedFetch(privateHosts), new Clock());
}
const sender = () => senderTo(`http://${origin}/send?account=1`);

async function failureOf(target: WebhookSmsSender): Promise<Error> {
  const failure = await target.send(SMS).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  expect(failure).toBeDefined();
  expect(JSON.stringify([failure!.message, failure!.stack, failure!.cause, failure])).not.toMatch(
    /49170|482913/,
  );
  return failure!;
}

describe('a text message', () => {
  it('is posted, signed as Standard Webhooks does', async () => {
    expect(sender().available).toBe(true);
    await sender().send(SMS);
    const [{ path, headers, body }] = received as [(typeof received)[0]];
    expect(path).toBe('/send?account=1');
    expect(JSON.parse(body)).toEqual(SMS);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['webhook-id']).toBe('msg-1');
    const webhook = new Webhook(`whsec_${KEY.toString('base64')}`);
    expect(webhook.verify(body, headers as Record<string, string>)).toEqual(SMS);
    for (const [name, value] of [
      ['webhook-id', 'msg-2'],
      ['webhook-timestamp', String(Number(headers['webhook-timestamp']) + 1)],
    ] as const)
      expect(() => webhook.verify(body, { ...(headers as Record<string, string>), [name]: value })).toThrow(
        WebhookVerificationError,
      );
    expect(() => webhook.verify(body.replace('482913', '000000'), headers as Record<string, string>)).toThrow(
      WebhookVerificationError,
    );
  });

  it.each([200, 201, 204])('is taken with %d', async (taken) => {
    status = taken;
    await sender().send(SMS);
    expect(received).toHaveLength(1);
  });

  it.each([408, 425, 429, 500, 502, 503, 504])('may be sent again after %d', async (code) => {
    status = code;
    const failed = { name: 'MessageFailedError', code: `HTTP ${code}`, channel: 'sms' };
    expect(await failureOf(sender())).toMatchObject(failed);
  });

  it.each([400, 401, 403, 404, 410, 422])('is refused for good with %d', async (code) => {
    status = code;
    const refused = { name: 'MessageRefusedError', code: `HTTP ${code}`, channel: 'sms' };
    expect(await failureOf(sender())).toMatchObject(refused);
  });

  it('follows no redirect', async () => {
    status = 302;
    expect(await failureOf(sender())).toMatchObject({ name: 'MessageRefusedError', code: 'redirect' });
    expect(received).toHaveLength(1);
  });

  it('may be sent again when nobody listens', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const closed = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await new Promise((resolve) => silent.close(resolve));
    expect(await failureOf(senderTo(`http://${closed}/`, [closed]))).toMatchObject({
      name: 'MessageFailedError',
      code: 'ECONNREFUSED',
    });
  });

  it('goes to no private host that is not named', async () => {
    for (const [url, code] of [
      [`http://${origin}/`, 'protocol'],
      [`https://${origin}/`, 'address'],
    ] as const)
      expect(await failureOf(senderTo(url, []))).toMatchObject({ name: 'MessageRefusedError', code });
    expect(received).toEqual([]);
  });

  it('without a gateway is refused, and known before', async () => {
    expect(senderTo(undefined).available).toBe(false);
    expect(await failureOf(senderTo(undefined))).toMatchObject({
      name: 'MessageRefusedError',
      code: 'not configured',
    });
  });
});
