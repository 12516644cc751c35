import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { CONFIG } from '../../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../../platform/config/config.schema.js';
import { Leadership } from '../../../../platform/database/leadership.js';
import { auditForwardBehind, auditForwardOldestSeconds } from '../../../../platform/health/metrics.js';
import { ForwarderService } from './forwarder.service.js';

/** Longest pause after failures that follow each other. */
const LONGEST_PAUSE_MS = 60_000;

/**
 * Forwards every few seconds, in one process at a time. A loop of its own: a receiver that hangs keeps nothing else of the
 * worker waiting. After a failure it waits twice as long each time.
 */
@Injectable()
export class Forwarding implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Forwarding.name);
  private readonly leadership: Leadership;
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private failures = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly forwarder: ForwarderService,
  ) {
    this.leadership = new Leadership(config.DATABASE_URL, 'scandock audit forwarding');
  }

  onApplicationBootstrap(): void {
    if (!this.forwarder.isOn) return;
    this.forwarder.checkCredentials();
    this.schedule();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.running;
    await this.leadership.resign();
  }

  private schedule(): void {
    if (this.stopping.signal.aborted) return;
    const pause = Math.min(this.config.RECONCILE_INTERVAL_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
    this.timer = setTimeout(
      () => {
        this.running = this.lead().finally(() => this.schedule());
      },
      Math.max(pause, this.config.RECONCILE_INTERVAL_MS),
    );
  }

  private async lead(): Promise<void> {
    try {
      if (await this.leadership.held()) await this.forwarder.forward(this.stopping.signal);
      else forgetForwarding();
      this.failures = 0;
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.failures++;
      const { code, name } = error as NodeJS.ErrnoException;
      this.logger.warn(`forwarding the audit ledger failed (${code ?? name}); it is tried again`);
    }
  }
}

/** Only the process that leads knows; another's figures would be stale. */
function forgetForwarding(): void {
  auditForwardBehind.reset();
  auditForwardOldestSeconds.reset();
}
