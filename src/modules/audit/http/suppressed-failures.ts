import { type AuditEntry, PLATFORM_ORGANIZATION } from '../audit.events.js';
import type { AuditService } from '../audit.service.js';

const WINDOW_MS = 60_000;
const MAX_COUNTERS = 10_000;
const TOO_MANY_REQUESTS = 429;

/**
 * Anonymous failures past the rate limit are counted per address, route and minute instead of written one by one:
 * otherwise anybody could fill the ledger.
 */
export class SuppressedFailures {
  private counts = new Map<string, { entry: AuditEntry; count: number }>();
  private readonly timer = setInterval(() => void this.flush(), WINDOW_MS).unref();

  constructor(private readonly audit: AuditService) {}

  /** Whether the event was only counted. */
  takes(entry: AuditEntry, status: number): boolean {
    if (status !== TOO_MANY_REQUESTS || entry.organizationId !== PLATFORM_ORGANIZATION) return false;
    const key = `${entry.origin?.ip} ${entry.action}`;
    const counter = this.counts.get(key);
    if (counter) counter.count++;
    else if (this.counts.size < MAX_COUNTERS) this.counts.set(key, { entry, count: 1 });
    return true;
  }

  /** Writes what was counted. A failure to do so keeps the counts for the next minute. */
  async flush(): Promise<void> {
    const counts = this.counts;
    this.counts = new Map();
    for (const [key, counter] of counts)
      await this.audit
        .append({
          organizationId: PLATFORM_ORGANIZATION,
          actor: { kind: 'anonymous' },
          action: 'auth:suppressed-failures',
          outcome: 'denied',
          origin: { ip: counter.entry.origin?.ip },
          detail: { route: counter.entry.action, count: counter.count },
        })
        .catch(() => this.counts.set(key, counter));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }
}
