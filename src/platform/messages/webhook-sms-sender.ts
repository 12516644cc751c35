import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { GuardedFetch, OutboundRefusedError } from '../outbound/guarded-fetch.js';
import { signWebhook } from '../outbound/webhook-signature.js';
import { MessageFailedError, MessageRefusedError } from './message-error.js';
import { type Sms, SmsSender } from './sms-sender.js';

/** Those of 4xx that ask to come again: timeout, too early, too many. */
const LATER = new Set([408, 425, 429]);

/** Text messages by a signed POST of `{ to, text, id }` to a gateway; any 2xx means that it was taken. */
@Injectable()
export class WebhookSmsSender extends SmsSender {
  readonly available: boolean;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly outbound: GuardedFetch,
    private readonly clock: Clock,
  ) {
    super();
    this.available = config.SMS_WEBHOOK_URL !== undefined;
  }

  async send({ id, to, text }: Sms): Promise<void> {
    const { SMS_WEBHOOK_URL: url, SMS_WEBHOOK_SECRET: key } = this.config;
    if (!url || !key) throw new MessageRefusedError('sms', 'not configured');
    const body = JSON.stringify({ to, text, id });
    const headers = {
      'content-type': 'application/json',
      ...signWebhook(key, id, this.clock.now(), body),
    };
    const { status } = await this.outbound
      .fetch(url, { method: 'POST', headers, body })
      .catch((error: unknown) => {
        if (error instanceof OutboundRefusedError) throw new MessageRefusedError('sms', error.reason);
        const { code, name } = error as NodeJS.ErrnoException;
        throw new MessageFailedError('sms', typeof code === 'string' ? code : name);
      });
    if (status >= 200 && status < 300) return;
    if (status >= 500 || LATER.has(status)) throw new MessageFailedError('sms', `HTTP ${status}`);
    throw new MessageRefusedError('sms', `HTTP ${status}`);
  }
}
