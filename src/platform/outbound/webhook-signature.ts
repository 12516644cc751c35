import { createHmac } from 'node:crypto';

/**
 * The headers that sign a webhook (Standard Webhooks 1.0.0, symmetric): HMAC-SHA256 over id, time in seconds and body.
 * @param id names the message, not the attempt: a receiver that has seen it has seen it
 * @param body exactly the bytes that are sent, as UTF-8
 */
export function signWebhook(key: Buffer, id: string, now: Date, body: string): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
