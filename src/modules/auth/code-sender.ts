import { Injectable } from '@nestjs/common';
import { MailSender } from '../../platform/messages/mail-sender.js';
import { SmsSender } from '../../platform/messages/sms-sender.js';
import type { Channel, Contact } from './contact.js';

export interface CodeMessage {
  /** The challenge's. */
  id: string;
  to: Contact;
  /** The organization's name. */
  from: string;
  code: string;
}

/** Sends one-time codes. */
@Injectable()
export class CodeSender {
  constructor(
    private readonly mail: MailSender,
    private readonly sms: SmsSender,
  ) {}

  isAvailable(channel: Channel): boolean {
    return (channel === 'email' ? this.mail : this.sms).available;
  }

  /** @throws {MessageRefusedError} for good, {@link MessageFailedError} for now */
  async send({ id, to: { channel, address: to }, from, code }: CodeMessage): Promise<void> {
    const text = `${from}: your sign-in code is ${code}. It is valid for 10 minutes. Do not share it with anybody.`;
    if (channel === 'sms') await this.sms.send({ id, to, text });
    else await this.mail.send({ id, to, subject: 'Your sign-in code', text: `${text}\n` });
  }
}
