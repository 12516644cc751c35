import { Injectable } from '@nestjs/common';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { unavailable } from '../../platform/errors/application-error.js';
import { lastOwner } from './access.errors.js';
import { AccessService } from './access.service.js';
import { countOwners } from './owners.rows.js';

/** Changes of one organization that may be under way or wait their turn in this process. */
const MAX_WAITING = 100;

interface Turns {
  last: Promise<unknown>;
  waiting: number;
}

/**
 * The one way to change who may do what: one change of an organization at a time, so that two who each look first cannot
 * together do what neither may (remove the last owners, close a circle of groups, grant by rights just taken away).
 */
@Injectable()
export class AccessChanges {
  /** Those who wait here hold no connection: all of them at the lock, one organization would leave none to the others. */
  private readonly turns = new Map<string, Turns>();

  constructor(
    private readonly database: DatabaseService,
    private readonly access: AccessService,
  ) {}

  /**
   * Runs `work` in one transaction with its audit event, under the organization's lock. This process believes what came of
   * it at once, the others within a second.
   * @throws last_owner when nobody would be left who may do everything
   * @throws unavailable when too many wait already
   */
  async change<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const result = await this.inTurn(organizationId, () => this.locked(organizationId, work));
    this.access.forget(organizationId);
    return result;
  }

  private locked<T>(organizationId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.withOrganization(organizationId, async (tx) => {
      await tx.$queryRaw`
        SELECT pg_advisory_xact_lock(hashtextextended(${`access ${organizationId}`}::text, 0))::text`;
      const before = await countOwners(tx, organizationId);
      const changed = await work(tx);
      if (before > 0 && (await countOwners(tx, organizationId)) === 0) throw lastOwner();
      return changed;
    });
  }

  private async inTurn<T>(organizationId: string, work: () => Promise<T>): Promise<T> {
    const turns = this.turns.get(organizationId) ?? { last: Promise.resolve(), waiting: 0 };
    if (turns.waiting >= MAX_WAITING)
      throw unavailable(new Error('Too many changes of who may do what are under way.'));
    this.turns.set(organizationId, turns);
    turns.waiting++;
    const mine = turns.last.then(work);
    turns.last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      turns.waiting--;
      if (turns.waiting === 0) this.turns.delete(organizationId);
    }
  }
}
