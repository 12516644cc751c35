import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { ApplicationError } from '../../platform/errors/application-error.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { LandingService, witnessOf } from '../uploads/landing.service.js';
import { LATE_LANDING_MS } from '../uploads/upload.ledger.js';
import { notLanded, unacceptable } from './inspect.errors.js';
import { InspectQueries } from './inspect.queries.js';
import { type Attempt, attemptsOf } from './inspect.rows.js';
import type { Completion } from './inspect.schemas.js';

/** Shortest pause between two looks at the ledger, in milliseconds; it grows by a tenth of what was waited. */
const LOOK_MS = 100;

type Status = Completion['data']['status'];

/**
 * Says what became of a file that was PUT, and notices it now instead of when it would be noticed. What makes it
 * complete is the worker, whether or not anybody asks.
 */
@Injectable()
export class CompletionService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly queries: InspectQueries,
    private readonly landing: LandingService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * The same answer each time, and to callers at once. Waits a while for the worker, with nothing of the database held.
   * @throws not_found, not_landed, a rule of docs/rules.md
   */
  async complete(caller: Caller, id: string): Promise<Completion> {
    const { organizationId } = caller.principal;
    const attempts = await this.database.withOrganization(organizationId, async (tx) => {
      await this.queries.find(tx, caller, 'inspect:complete', id);
      return attemptsOf(tx, organizationId, id, this.landable());
    });
    caller.request.about = { resource: { type: 'InspectFile', id } };
    const repeated = isCompleted(attempts);
    const unseen = repeated ? [] : attempts.filter(({ unseen }) => unseen).map(({ id }) => id);
    if (unseen.length > 0)
      await this.landing.land(witnessOf(caller), await this.landing.look(organizationId, unseen));
    const status = repeated ? 'completed' : await this.outcome(organizationId, id);
    await this.database.withOrganizationSql(organizationId, (tx) =>
      this.audit.record(
        tx,
        actedBy<'inspect:complete'>(caller, {
          action: 'inspect:complete',
          resource: { type: 'InspectFile', id },
          detail: { status, repeated },
        }),
      ),
    );
    return { data: { id, status } };
  }

  private async outcome(organizationId: string, id: string): Promise<Status> {
    const begun = performance.now();
    let watched: string[] | undefined;
    for (;;) {
      const attempts = await this.database.withOrganizationSql(organizationId, (tx) =>
        attemptsOf(tx, organizationId, id, this.landable()),
      );
      if (isCompleted(attempts)) return 'completed';
      const underWay = attempts.filter(({ state }) => state === 'landed' || state === 'verified');
      watched ??= underWay.map(({ id }) => id);
      if (underWay.length === 0) throw refusalOf(attempts, watched);
      const waited = performance.now() - begun;
      if (waited >= this.config.INSPECT_WAIT_MS) return 'pending';
      await setTimeout(LOOK_MS + waited / 10);
    }
  }

  private landable(): Date {
    return new Date(this.clock.now().getTime() - LATE_LANDING_MS);
  }
}

const isCompleted = (attempts: Attempt[]): boolean => attempts.some(({ completed }) => completed);

/**
 * The newest attempt decides, of those that were waited for if any were: that another URL was issued meanwhile does not
 * change what became of them.
 */
function refusalOf(attempts: Attempt[], watched: string[]): ApplicationError {
  const decisive = attempts.find(({ id }) => watched.includes(id)) ?? attempts[0];
  return decisive?.rule ? unacceptable(decisive.rule, decisive.message!) : notLanded();
}
