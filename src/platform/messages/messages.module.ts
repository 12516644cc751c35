import { Module } from '@nestjs/common';
import { OutboundModule } from '../outbound/outbound.module.js';
import { MailSender } from './mail-sender.js';
import { SmsSender } from './sms-sender.js';
import { WebhookSmsSender } from './webhook-sms-sender.js';

/** The ways a message leaves the house. */
@Module({
  imports: [OutboundModule],
  providers: [MailSender, { provide: SmsSender, useClass: WebhookSmsSender }],
  exports: [MailSender, SmsSender],
})
export class MessagesModule {}
