import { setTimeout } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { newId } from '../../../platform/database/id.js';
import type { Month } from './month.js';
import { RetirementRefused } from './retirement.errors.js';

/** The organizations of a month that is in the ledger. */
export interface MonthOrganization {
  organizationId: string;
  events: number;
  /** Of them, how many wait for their seal. */
  unsealed: number;
  /** Whether a legal hold touches the month. */
  held: boolean;
}

/** What is kept for a month of one organization that is not in the ledger any more. */
export interface KeptExport {
  organizationId: string;
  exportId: string;
  exportKey: string;
  manifestKey: string;
  manifestSha256: Buffer;
  events: number;
}

/** The detached table of a retired month can be looked into by the owner only; a dropped month has none. */
export type MonthPlace = 'ledger' | 'table' | 'nowhere';

/**
 * Longest that all who write events wait behind us, in milliseconds: to take a partition away, Postgres lets nobody else at
 * the ledger, and whoever comes while a long reader keeps us waiting waits as well.
 */
const LOCK_LIMIT_MS = 1_000;
const PAUSE_MS = 2_000;
const MOST_TRIES = 60;

/** SQLSTATE: refused by one of our functions; lock not available; deadlock. */
const REFUSED = '55000';
const BUSY = ['55P03', '40P01'];

/** What the owner of the tables does with the partitions of the ledger: the functions of the migration, one statement each. */
export class LedgerOwner {
  constructor(private readonly owner: Pick<ClientBase, 'query'>) {}

  async placeOf({ name }: Month): Promise<MonthPlace> {
    const { rows } = await this.owner.query<{ attached: boolean }>(
      `SELECT c.relispartition AS attached FROM pg_class c WHERE c.oid = to_regclass('public.' || $1::text)`,
      [`audit_event_${name.replace('-', '_')}`],
    );
    if (!rows[0]) return 'nowhere';
    return rows[0].attached ? 'ledger' : 'table';
  }

  async organizationsOf(month: Month): Promise<MonthOrganization[]> {
    const { rows } = await this.owner.query<
      Omit<MonthOrganization, 'events' | 'unsealed'> & { events: string; unsealed: string }
    >(
      `SELECT organization_id AS "organizationId", records AS events, unsealed, held FROM audit_month_organizations($1::date)`,
      [firstDay(month)],
    );
    return rows.map((row) => ({ ...row, events: Number(row.events), unsealed: Number(row.unsealed) }));
  }

  async keptOf(month: Month): Promise<(KeptExport & { held: boolean })[]> {
    const { rows } = await this.owner.query<Omit<KeptExport, 'events'> & { events: string; held: boolean }>(
      `SELECT organization_id AS "organizationId", id AS "exportId", export_key AS "exportKey", manifest_key AS "manifestKey",
              manifest_sha256 AS "manifestSha256", records AS events, held
       FROM audit_retired_organizations($1::date)`,
      [firstDay(month)],
    );
    return rows.map((row) => ({ ...row, events: Number(row.events) }));
  }

  /**
   * Records what is kept of the month, writes an event into the ledger of each organization, and takes the partition out: all of
   * it, or nothing.
   * @throws RetirementRefused whatever has come in between: an event, a hold
   */
  retire(month: Month, kept: readonly KeptExport[], now: Date): Promise<number> {
    const exports = kept.map((each) => ({
      organization_id: each.organizationId,
      export_id: each.exportId,
      export_key: each.exportKey,
      manifest_key: each.manifestKey,
      manifest_sha256: each.manifestSha256.toString('hex'),
      events: each.events,
      event_id: newId(),
    }));
    return this.change(
      'SELECT audit_retire_month($1::date, $2::timestamptz, $3::jsonb) AS events',
      month,
      now,
      exports,
    );
  }

  /** Drops the table of a retired month. @throws RetirementRefused */
  drop(month: Month, organizations: readonly string[], now: Date): Promise<number> {
    const events = organizations.map((organization_id) => ({ organization_id, event_id: newId() }));
    return this.change(
      'SELECT audit_drop_month($1::date, $2::timestamptz, $3::jsonb) AS events',
      month,
      now,
      events,
    );
  }

  private async change(sql: string, month: Month, now: Date, given: object[]): Promise<number> {
    await this.owner.query(`SET lock_timeout = ${LOCK_LIMIT_MS}`);
    for (let attempt = 1; ; attempt++)
      try {
        const { rows } = await this.owner.query<{ events: string }>(sql, [
          firstDay(month),
          now,
          JSON.stringify(given),
        ]);
        return Number(rows[0]!.events);
      } catch (error) {
        const { code, message, detail } = error as { code?: string; message: string; detail?: string };
        if (code === REFUSED) throw new RetirementRefused(sentence(message), detail ? [detail] : []);
        if (code === undefined || !BUSY.includes(code)) throw error;
        if (attempt === MOST_TRIES)
          throw new RetirementRefused(
            'Somebody keeps reading the ledger; nothing was changed. Run it again later',
          );
        await setTimeout(PAUSE_MS);
      }
  }
}

const firstDay = ({ name }: Month): string => `${name}-01`;
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
