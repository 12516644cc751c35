import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { addressKey } from '../../../platform/http/address-key.js';
import type { AuditEntry } from '../audit.events.js';
import type { AuditService } from '../audit.service.js';

const WINDOW_MS = 60_000;
const MAX_COUNTERS = 10_000;
const TOO_MANY_REQUESTS = 429;

/** Actors that need no credential: whoever wants to can make them fail. */
const ANYBODY = ['anonymous', 'share_link'];

interface Counter {
  organizationId: string;
  route: string;
  /** The first of its /64 when it is IPv6. Absent: the sum over the addresses that came after the list was full. */
  ip?: string | undefined;
  count: number;
}

/**
 * Failures that need no credential are written one by one up to a number per address and minute; those past it, and
 * those past the rate limit, are counted per address and route: otherwise anybody could fill the ledger.
 */
export class SuppressedFailures {
  private counters = new Map<string, Counter>();
  private readonly written = new Map<string, number>();
  private readonly timer = setInterval(() => void this.flush(), WINDOW_MS).unref();

  /** @param perMinute failures of one address that are written one by one. */
  constructor(
    private readonly audit: AuditService,
    private readonly perMinute: number,
  ) {}

  /** Whether the event was only counted. */
  takes(entry: AuditEntry, status: number): boolean {
    if (entry.outcome === 'success' || !ANYBODY.includes(entry.actor.kind)) return false;
    const ip = entry.origin?.ip;
    if (status !== TOO_MANY_REQUESTS && this.mayBeWritten(addressKey(ip))) return false;
    this.count({ organizationId: entry.organizationId, route: entry.action, ip, count: 1 });
    return true;
  }

  /** Writes what was counted. A failure to do so keeps the counts for the next minute. */
  async flush(): Promise<void> {
    this.written.clear();
    const counters = this.counters;
    this.counters = new Map();
    for (const counter of counters.values()) {
      const { organizationId, route, ip, count } = counter;
      await this.audit
        .append({
          organizationId,
          actor: { kind: 'anonymous' },
          action: 'auth:suppressed-failures',
          outcome: 'denied',
          ...(ip !== undefined && { origin: { ip } }),
          detail: { route, count },
        })
        .catch(() => this.count(counter));
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  private mayBeWritten(key: string): boolean {
    const written = this.written.get(key) ?? 0;
    if (written >= this.perMinute || (written === 0 && this.written.size >= MAX_COUNTERS)) return false;
    this.written.set(key, written + 1);
    return true;
  }

  private count(counter: Counter): void {
    const key = [counter.organizationId, counter.route, addressKey(counter.ip)].join(' ');
    const known = this.counters.get(key);
    if (known) known.count += counter.count;
    else if (counter.ip === undefined || this.counters.size < MAX_COUNTERS)
      this.counters.set(key, { ...counter });
    else this.count({ ...counter, organizationId: PLATFORM_ORGANIZATION, ip: undefined });
  }
}
