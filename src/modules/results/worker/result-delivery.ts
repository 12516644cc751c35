import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { OutboxService } from '../../events/outbox.service.js';
import { type KeptUpload, SurfaceListener } from '../../uploads/registrar.js';
import { markDelivered } from '../result.rows.js';

/** A result is delivered in the transaction that registers its verified bytes, and its event is written there too. */
@Injectable()
export class ResultDelivery extends SurfaceListener {
  readonly surface = 'results';

  constructor(
    private readonly outbox: OutboxService,
    private readonly clock: Clock,
  ) {
    super();
  }

  async registered(tx: SqlTransaction, organizationId: string, uploads: KeptUpload[]): Promise<void> {
    const uploadIds = uploads.map(({ uploadId }) => uploadId);
    const delivered = await markDelivered(tx, organizationId, uploadIds, this.clock.now());
    await this.outbox.emit(
      tx,
      organizationId,
      delivered.map(({ id, orderId, reportType }) => ({
        type: 'result.delivered',
        data: { result_id: id, order_id: orderId, report_type: reportType },
      })),
    );
  }
}
