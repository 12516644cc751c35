import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { addressKey } from '../../../platform/http/address-key.js';
import type { AuditActor, AuditEntry } from '../audit.events.js';
import type { AuditService } from '../audit.service.js';

const WINDOW_MS = 60_000;
const MAX_COUNTERS = 10_000;
const TOO_MANY_REQUESTS = 429;

/** Actors that need no credential: whoever wants to can make them fail. */
const ANYBODY = ['anonymous', 'share_link'];

interface Counter {
  organizationId: string;
  route: string;
  actor: AuditActor;
  /** The first of its /64 when it is IPv6. Absent: the sum over several. */
  ip?: string | undefined;
  count: number;
}

/**
 * Failures that need no credential are written one by one up to a number per address and minute; those past it, and
 * those past the rate limit, are counted per address and route: otherwise anybody could fill the ledger. So are refusals past
 * the rate limit of whoever has a credential, per principal and route, in the principal's organization.
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
    if (entry.outcome === 'success') return false;
    const { organizationId, action: route, actor } = entry;
    const anybody = ANYBODY.includes(actor.kind);
    const ip = entry.origin?.ip;
    if (status !== TOO_MANY_REQUESTS && (!anybody || this.mayBeWritten(addressKey(ip)))) return false;
    this.count({ organizationId, route, actor: anybody ? { kind: 'anonymous' } : actor, ip, count: 1 });
    return true;
  }

  /** Writes what was counted. A failure to do so keeps the counts for the next minute. */
  async flush(): Promise<void> {
    this.written.clear();
    const counters = this.counters;
    this.counters = new Map();
    for (const counter of counters.values()) {
      const { organizationId, route, actor, ip, count } = counter;
      await this.audit
        .append({
          organizationId,
          actor,
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
    const { organizationId, route, actor, ip } = counter;
    const address = addressKey(ip);
    const key = [organizationId, route, actor.id ?? address].join(' ');
    const known = this.counters.get(key);
    if (known) {
      known.count += counter.count;
      if (addressKey(known.ip) !== address) known.ip = undefined;
    } else if (ip === undefined || actor.id !== undefined || this.counters.size < MAX_COUNTERS)
      this.counters.set(key, { ...counter }); // of principals there are no more than were made
    else this.count({ ...counter, organizationId: PLATFORM_ORGANIZATION, ip: undefined });
  }
}
