import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';

/** The process's logger: JSON lines on standard output. */
export const createLogger = (level: string, name: string): Logger => pino({ level, name, base: { name } });

/** Nest's own messages through pino. */
export class NestLogger implements LoggerService {
  constructor(private readonly pino: Logger) {}

  log(message: unknown, ...context: unknown[]): void {
    this.pino.debug(...line(message, context));
  }

  warn(message: unknown, ...context: unknown[]): void {
    this.pino.warn(...line(message, context));
  }

  error(message: unknown, ...context: unknown[]): void {
    this.pino.error(...line(message, context));
  }

  fatal(message: unknown, ...context: unknown[]): void {
    this.pino.fatal(...line(message, context));
  }
}

/** Objects become fields, anything else the message. */
function line(message: unknown, context: unknown[]): [object, string?] {
  const fields = { context: context.at(-1) };
  return typeof message === 'object' ? [{ ...fields, ...message }] : [fields, String(message)];
}
