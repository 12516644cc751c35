import { Inject, Injectable } from '@nestjs/common';
import { leafHash, merkleRoot } from '../../../formats/merkle/merkle-tree.js';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { auditMissing } from '../../../platform/health/metrics.js';
import { writableForm } from '../audit.canonical.js';
import { type EventName, eventsNamed } from '../ledger.rows.js';
import { missingForm } from '../missing-event.js';
import {
  entryForm,
  hashOf,
  headForm,
  newSealKey,
  openSealKey,
  type SealKey,
  type SealKeyRow,
  signForm,
} from '../seal.js';
import {
  entriesFollowed,
  entriesFor,
  insertMissing,
  insertSeal,
  insertSealKey,
  insertTree,
  lastSeal,
  lockSealKeys,
  newestEntries,
  newestTree,
  ourSealKeys,
  signingSealKey,
  takeUnsealed,
} from '../seal.rows.js';
import { formsKey, insertForms } from './forms.rows.js';
import { endOfChain, LedgerRewritten, nextHead, signedHead } from './next-head.js';
import { nextSealTime } from './seal-time.js';

interface Waiting {
  organization_id: string;
  records: bigint;
}

/** Most events of one tree: what is held in memory, and read again to prove one of them. */
const MAX_TREE = 10_000;

/**
 * Seals the ledger. Trees of the next seal are made one organization at a time, each in a transaction of its own that takes
 * its events from those that wait; then the head over all of them. A process that dies in between leaves trees whose head
 * the next one makes. Two at once do no harm, but only one is needed.
 */
@Injectable()
export class SealerService {
  private key: SealKey | undefined;
  /** Of the newest tree or head that this process made. */
  private latest: Date | undefined;
  /** Number of the newest head that this process made. */
  private sealed = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /**
   * Seals all that waits. Returns the number of the new head.
   * @throws {@link WrongMasterKey} before anything is sealed
   * @throws {@link LedgerRewritten} when what was sealed is not what it was: then there is no new head
   * @throws {@link SealAhead} when what was sealed last is of a time to come, by more than clocks disagree
   * @throws what kept an organization from being sealed, after all others were
   */
  async seal(): Promise<number> {
    const waiting = await this.database.outside.$queryRaw<Waiting[]>`
      SELECT organization_id, records FROM audit_unsealed_organizations()`;
    await this.database.withOrganizationSql(PLATFORM_ORGANIZATION, (tx) => this.signingKey(tx));
    const failures: unknown[] = [];
    for (const one of waiting)
      try {
        // No more than waited: who writes without a pause is not to keep the others waiting.
        for (let trees = Math.ceil(Number(one.records) / MAX_TREE); trees > 0; trees--)
          if (!(await this.sealTree(one.organization_id))) break;
      } catch (error) {
        failures.push(error); // one tenant's trouble is not the others'
      }
    this.sealed = await this.sealHead();
    if (failures.length > 0) throw failures[0];
    return this.sealed;
  }

  /** @returns whether there may be more @throws LedgerRewritten when what it would follow from is not ours */
  private async sealTree(organizationId: string): Promise<boolean> {
    const { size, missing } = await this.database.withOrganizationSql(organizationId, async (tx) => {
      // Not beside a head: it would be made without this tree and bear the same number.
      await tx.$queryRaw`SELECT pg_advisory_xact_lock_shared(hashtextextended('audit head', 0))`;
      await tx.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended('audit tree ' || ${organizationId}::text, 0))`;
      // What would keep it from being sealed is found before its events are taken, and put back.
      const keys = await ourSealKeys(tx, this.config.SCANDOCK_MASTER_KEY);
      const [newest, last] = [await newestTree(tx, organizationId), await lastSeal(tx)];
      if (last) signedHead(keys, last);
      const end = endOfChain(keys, newest);
      const time = this.notBefore(last?.time, newest?.time);
      const events = await takeUnsealed(tx, organizationId, MAX_TREE);
      if (events.length === 0) return { size: 0, missing: 0 };
      const key = await this.signingKey(tx);
      const { forms, missing } = await this.formsOf(tx, organizationId, events);
      const leaves = forms.map(leafHash);
      const tree = {
        organization: organizationId,
        seal: (last?.seal ?? 0) + 1,
        time,
        first: end.next,
        size: events.length,
        root: merkleRoot(leaves),
        previous: end.entry,
      };
      const form = entryForm(tree);
      await insertTree(tx, { ...tree, ...signForm(key, form), events, leaves, entry: hashOf(form) });
      await insertForms(tx, formsKey(this.config.SCANDOCK_MASTER_KEY, organizationId), tree, forms);
      return { size: events.length, missing };
    });
    auditMissing.inc(missing);
    return size === MAX_TREE;
  }

  /** What is to be sealed of events: of one that is gone, or that nobody can write, that it is missing. Then the ledger says so as well. */
  private async formsOf(tx: SqlTransaction, organizationId: string, events: readonly EventName[]) {
    const found = await eventsNamed(tx, organizationId, events);
    const missing: EventName[] = [];
    const forms = events.map((name) => {
      const event = found.get(name.id, name.occurredAt);
      const form = event && writableForm(event);
      if (!form) missing.push(name);
      return form ?? missingForm(organizationId, name);
    });
    await insertMissing(tx, organizationId, missing);
    return { forms, missing: missing.length };
  }

  /** @throws LedgerRewritten */
  private sealHead(): Promise<number> {
    return this.database.withOrganizationSql(PLATFORM_ORGANIZATION, async (tx) => {
      await tx.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended('audit head', 0))`;
      const key = await this.signingKey(tx);
      const last = await lastSeal(tx);
      const seal = last?.seal ?? 0;
      if (seal < this.sealed) throw new LedgerRewritten(`The head of seal ${this.sealed} is gone.`);
      const keys = await ourSealKeys(tx, this.config.SCANDOCK_MASTER_KEY);
      const next = nextHead(keys, {
        last,
        before: await newestEntries(tx, seal),
        followed: await entriesFollowed(tx, seal + 1),
        made: await entriesFor(tx, seal + 1),
      });
      const head = { ...next, time: this.notBefore(last?.time) };
      const form = headForm(head);
      await insertSeal(tx, { ...head, ...signForm(key, form), head: hashOf(form) });
      return next.seal;
    });
  }

  /** Made when there is none yet. @throws {@link WrongMasterKey} */
  private async signingKey(tx: SqlTransaction): Promise<SealKey> {
    let row: SealKeyRow | undefined = await signingSealKey(tx, this.config.SCANDOCK_MASTER_KEY);
    if (!row) {
      await lockSealKeys(tx);
      row = await signingSealKey(tx, this.config.SCANDOCK_MASTER_KEY); // of another process, which was faster
    }
    if (!row) {
      row = await newSealKey(this.config.SCANDOCK_MASTER_KEY);
      await insertSealKey(tx, row, this.clock.now());
    }
    if (this.key?.kid !== row.kid) this.key = openSealKey(this.config.SCANDOCK_MASTER_KEY, row);
    return this.key;
  }

  /** @param former times that we have signed @throws SealAhead */
  private notBefore(...former: (Date | undefined)[]): Date {
    return (this.latest = nextSealTime(this.clock.now(), [this.latest, ...former]));
  }
}
