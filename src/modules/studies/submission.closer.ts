import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { causeForLog } from '../../platform/logging/cause-for-log.js';
import { AuditService } from '../audit/audit.service.js';
import { OutboxService } from '../events/outbox.service.js';
import type { Noticed } from '../uploads/registrar.js';
import { lockStudies } from './study.rows.js';
import { BACKLOG_LIMIT_MS } from './submission.js';

const BATCH = 500;

interface Due {
  id: string;
  organization_id: string;
  closes_at: Date;
}

/**
 * Closes the submissions whose idle time is over, and says that their studies are ready. Never before its organization's
 * uploads that landed in time are verified, up to a limit.
 */
@Injectable()
export class SubmissionCloser {
  private readonly logger = new Logger(SubmissionCloser.name);

  constructor(
    private readonly database: DatabaseService,
    private readonly outbox: OutboxService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async closeDue({ until, except }: Noticed): Promise<void> {
    const rows = await this.database.outside.$queryRaw<Due[]>`
      SELECT * FROM reconcile_due_submissions(${until}::timestamptz, ${new Date(until.getTime() - BACKLOG_LIMIT_MS)}::timestamptz,
                                              ${BATCH}::int)`;
    for (const due of rows.filter(({ organization_id }) => !except.has(organization_id)))
      // One study's trouble must not keep the others open; the next pass tries again.
      await this.database
        .withOrganizationSql(due.organization_id, (tx) => this.close(tx, due))
        .catch((error: unknown) => {
          this.logger.warn(
            { organizationId: due.organization_id, cause: causeForLog(error) },
            'a submission was not closed',
          );
        });
  }

  private async close(
    tx: SqlTransaction,
    { organization_id: organizationId, id, closes_at }: Due,
  ): Promise<void> {
    const [study] = await tx.$queryRaw<{ id: string; uid: string }[]>`
      SELECT st.id, st.study_instance_uid AS uid FROM submission s
      JOIN study st ON st.organization_id = s.organization_id AND st.id = s.study_id
      WHERE s.organization_id = ${organizationId}::uuid AND s.id = ${id}::uuid`;
    if (!study) return;
    await lockStudies(tx, organizationId, [study.uid]); // an instance that is joining now opens it again, or is in it
    // Only for the time it was found due by: with another one, other uploads may have to be waited for.
    const [closed] = await tx.$queryRaw<{ generation: number }[]>`
      UPDATE submission SET state = 'closed', closed_at = ${this.clock.now()}::timestamptz
      WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid AND state = 'open' AND closes_at = ${closes_at}::timestamptz
      RETURNING generation`;
    if (!closed) return;
    const { generation } = closed;
    const orders = await tx.$queryRaw<{ id: string }[]>`
      SELECT order_id AS id FROM order_study
      WHERE organization_id = ${organizationId}::uuid AND study_id = ${study.id}::uuid ORDER BY created_at DESC, order_id`;
    const order_ids = orders.map(({ id }) => id);
    await this.outbox.emit(tx, organizationId, [
      { type: 'study.ready', data: { study_uid: study.uid, generation, order_ids } },
    ]);
    await this.audit.record<'studies:close'>(tx, {
      organizationId,
      actor: { kind: 'system', id: 'reconciler' },
      action: 'studies:close',
      outcome: 'success',
      resource: { type: 'Study', id: study.id },
      studyRef: study.id,
      detail: { generation },
    });
  }
}
