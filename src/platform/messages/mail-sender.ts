import { unescape } from 'node:querystring';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { createTransport } from 'nodemailer';
import { CONFIG } from '../config/config.module.js';
import { type ConfigValues, LOOPBACK } from '../config/config.schema.js';
import { MessageFailedError, MessageRefusedError } from './message-error.js';

export interface Mail {
  /** Names the message, not the attempt; becomes its Message-ID. */
  id: string;
  /** One address, without a name. */
  to: string;
  subject: string;
  text: string;
}

/** Longest silence of the server, in milliseconds, and longest a message may take in all. */
const SILENCE_MS = 10_000;
const LIMIT_MS = 30_000;
/** How long a connection is kept for the next message; servers close theirs after a minute or more. */
const IDLE_MS = 30_000;

/** One addr-spec (RFC 5322) without quotes, comments or literals: nothing that could be read as two. */
const ADDRESS = /^[^\s<>@,;:"()[\]\\]+@[^\s<>@,;:"()[\]\\]+$/;
/** A server that does not let US in says nothing of the message (RFC 4954, section 6). */
const OUR_FAULT = new Set([530, 534, 535, 538]);
/** What nodemailer says of a message that the server never saw. */
const UNFIT = new Set(['EENVELOPE', 'EMESSAGE']);

/** Mail by SMTP (RFC 5321), plain text, through a pool of connections. */
@Injectable()
export class MailSender implements OnModuleDestroy {
  private readonly transport: ReturnType<typeof connect> | undefined;

  constructor(@Inject(CONFIG) private readonly config: ConfigValues) {
    if (config.SMTP_URL) this.transport = connect(config.SMTP_URL, config.NODE_ENV === 'production');
  }

  /** Whether there is a server; without, nothing can be sent. */
  get available(): boolean {
    return this.transport !== undefined;
  }

  /**
   * Resolves when the server has taken the message.
   * @throws {MessageRefusedError} for good (5yz), {@link MessageFailedError} for now (4yz, connection, time, our sign-in)
   */
  async send({ id, to, subject, text }: Mail): Promise<void> {
    if (!this.transport) throw new MessageRefusedError('mail', 'not configured');
    if (!ADDRESS.test(to)) throw new MessageRefusedError('mail', 'not an address');
    const from = this.config.MAIL_FROM!;
    const host = from.slice(from.lastIndexOf('@') + 1).replace('>', '');
    try {
      await this.transport.sendMail({
        from,
        to: { name: '', address: to }, // a string would be read as a list
        subject,
        text,
        messageId: `<${id}@${host}>`,
        headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834: no answers from those on holiday
        xMailer: false,
        signal: AbortSignal.timeout(LIMIT_MS),
      });
    } catch (error) {
      const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number };
      const said = responseCode ? `SMTP ${responseCode}` : code;
      const isFinal = responseCode ? responseCode >= 500 && !OUR_FAULT.has(responseCode) : UNFIT.has(code);
      if (isFinal) throw new MessageRefusedError('mail', said);
      throw new MessageFailedError('mail', said);
    }
  }

  onModuleDestroy(): void {
    this.transport?.close();
  }
}

function connect(address: string, production: boolean) {
  const url = new URL(address);
  const secure = url.protocol === 'smtps:';
  return createTransport({
    pool: true,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    // Else whoever sits in between could take the offer of STARTTLS out of the server's answer.
    requireTLS: production && !secure && !LOOPBACK.test(url.hostname),
    ...(url.username && { auth: { user: unescape(url.username), pass: unescape(url.password) } }),
    dnsTimeout: SILENCE_MS,
    connectionTimeout: SILENCE_MS,
    greetingTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    idleTimeout: IDLE_MS,
    maxRequeues: 1, // for a connection that the server closed just then; beyond that the job tries again
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
