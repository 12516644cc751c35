import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../../platform/clock/clock.js';
import { CONFIG } from '../../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../../platform/database/database.service.js';
import { auditForwardBehind, auditForwardOldestSeconds } from '../../../../platform/health/metrics.js';
import { auditSource } from '../../event.participants.js';
import { eventsNamed } from '../../ledger.rows.js';
import { missingEvent } from '../../missing-event.js';
import { findStudies, studiesOf } from '../formats/studies.rows.js';
import { deliver, type Receiver } from './delivery.js';
import {
  type Behind,
  eventsAfter,
  isForwarded,
  keepForwarded,
  organizationsBehind,
} from './forwarding.rows.js';
import { syslogFrame } from './syslog.message.js';

/** Most events of one delivery, and of one organization in it, so that a busy one does not keep the others waiting. */
const MAX_EVENTS = 1_000;
const MAX_EVENTS_OF_ONE = 500;
/** A delivery that is this large is large enough, in bytes: with it the memory is bounded, whatever the events hold. */
const ENOUGH_BYTES = 4 * 1024 ** 2;
/** How long a receiver may keep still, in milliseconds. */
const STALL_MS = 30_000;

/** What is sent, and how far each organization is when it has been taken. */
interface Delivery {
  frames: Buffer[];
  bytes: number;
  upTo: Map<string, number>;
}

/**
 * Forwards sealed events as DICOM audit messages to a syslog receiver, each organization's in the order of their positions,
 * each at least once. What is kept meanwhile is the ledger; of how far it has been forwarded a position per organization,
 * which moves only when the receiver has taken everything before (docs/adr/0047).
 */
@Injectable()
export class ForwarderService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  get isOn(): boolean {
    return this.config.AUDIT_SYSLOG_URL !== undefined;
  }

  /** @throws when the files that the configuration names are no certificates or keys, naming the variable */
  checkCredentials(): void {
    this.credentials();
  }

  /** Sends what there is, until there is no more. @throws what kept it from being taken; what had been before stays so */
  async forward(signal?: AbortSignal): Promise<void> {
    await this.begin();
    for (;;) {
      const behind = await organizationsBehind(this.database.outside);
      this.measure(behind);
      if (behind.length === 0 || signal?.aborted) return;
      const delivery = await this.collect(behind);
      await deliver(this.receiver(), delivery.frames, signal);
      for (const [organizationId, position] of delivery.upTo)
        await this.database.withOrganizationSql(organizationId, (tx) =>
          keepForwarded(tx, organizationId, position, this.clock.now()),
        );
    }
  }

  /**
   * The first time: unless all of the past is wanted, every organization is as far as it is now. The platform's own is
   * marked last, so that half of it is done again; organizations that come later begin at their first event.
   */
  private async begin(): Promise<void> {
    const marked = await this.database.withOrganizationSql(PLATFORM_ORGANIZATION, (tx) =>
      isForwarded(tx, PLATFORM_ORGANIZATION),
    );
    if (marked) return;
    const starts = new Map([[PLATFORM_ORGANIZATION, 0]]);
    if (this.config.AUDIT_SYSLOG_FROM === 'now')
      for (const { organizationId, newest } of await organizationsBehind(this.database.outside))
        starts.set(organizationId, newest);
    const last = (id: string) => (id === PLATFORM_ORGANIZATION ? 1 : 0);
    for (const [organizationId, position] of [...starts].sort(([one], [other]) => last(one) - last(other)))
      await this.database.withOrganizationSql(organizationId, (tx) =>
        keepForwarded(tx, organizationId, position, this.clock.now()),
      );
  }

  private async collect(behind: Behind[]): Promise<Delivery> {
    const delivery: Delivery = { frames: [], bytes: 0, upTo: new Map() };
    for (const each of behind) {
      const room = Math.min(MAX_EVENTS - delivery.frames.length, MAX_EVENTS_OF_ONE);
      if (room <= 0 || delivery.bytes >= ENOUGH_BYTES) break;
      await this.add(delivery, each, room);
    }
    return delivery;
  }

  private async add(delivery: Delivery, { organizationId, forwarded }: Behind, room: number): Promise<void> {
    const { names, events, studyUids } = await this.database.withOrganizationSql(
      organizationId,
      async (tx) => {
        const names = await eventsAfter(tx, organizationId, forwarded, room);
        const events = await eventsNamed(tx, organizationId, names);
        const studyUids = await findStudies(tx, organizationId, studiesOf(events.values()));
        return { names, events, studyUids };
      },
    );
    let position = forwarded;
    for (const name of names) {
      if (delivery.bytes >= ENOUGH_BYTES) break;
      // What is sealed and gone is told as what it is: the receiver's positions have no gaps either.
      const event = events.get(name.id, name.occurredAt) ?? missingEvent(organizationId, name);
      const context = { source: auditSource(this.config), studyUids, position: ++position };
      const frame = syslogFrame(event, context);
      delivery.frames.push(frame);
      delivery.bytes += frame.length;
    }
    delivery.upTo.set(organizationId, position);
  }

  private receiver(): Receiver {
    return {
      ...this.config.AUDIT_SYSLOG_URL!,
      credentials: this.credentials(),
      needsCloseNotify: this.config.AUDIT_SYSLOG_CLOSE_NOTIFY,
      stallMs: STALL_MS,
    };
  }

  /** Read each time: certificates are renewed while we run. */
  private credentials(): Receiver['credentials'] {
    const files = {
      ca: this.config.AUDIT_SYSLOG_CA,
      cert: this.config.AUDIT_SYSLOG_CERT,
      key: this.config.AUDIT_SYSLOG_KEY,
    };
    const given = Object.entries(files).filter((file): file is [string, string] => file[1] !== undefined);
    const read = Object.fromEntries(
      given.map(([name, path]) => {
        const variable = `AUDIT_SYSLOG_${name.toUpperCase()}`;
        const content = attempt(variable, 'cannot be read', () => readFileSync(path, 'utf8'));
        if (!content.includes('-----BEGIN ')) throw new Error(`${variable}: is not PEM`);
        if (name === 'ca')
          attempt(variable, 'holds no certificates', () => createSecureContext({ ca: content }));
        return [name, content];
      }),
    );
    attempt('AUDIT_SYSLOG_CERT', 'does not go with AUDIT_SYSLOG_KEY', () =>
      createSecureContext({ cert: read.cert, key: read.key }),
    );
    return read;
  }

  private measure(behind: Behind[]): void {
    const oldest = behind[0]?.oldest;
    auditForwardBehind.set(behind.reduce((sum, { newest, forwarded }) => sum + newest - forwarded, 0));
    auditForwardOldestSeconds.set(oldest ? (this.clock.now().getTime() - oldest.getTime()) / 1000 : 0);
  }
}

function attempt<T>(variable: string, problem: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`${variable}: ${problem} (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
    });
  }
}
