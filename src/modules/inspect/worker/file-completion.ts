import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { type KeptUpload, SurfaceListener } from '../../uploads/registrar.js';
import { completeFiles } from '../inspect.rows.js';

/** A file is complete in the transaction that registers its verified bytes, whether or not anybody asks for it. */
@Injectable()
export class FileCompletion extends SurfaceListener {
  readonly surface = 'inspect';

  constructor(private readonly clock: Clock) {
    super();
  }

  async registered(tx: SqlTransaction, organizationId: string, uploads: KeptUpload[]): Promise<void> {
    const uploadIds = uploads.map(({ uploadId }) => uploadId);
    await completeFiles(tx, organizationId, uploadIds, this.clock.now());
  }
}
