import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { Altered, Superseded } from './export.errors.js';
import { type Attempt, reportExport } from './export.rows.js';

/** Objects of exports as their attempts begin and complete them. */
@Injectable()
export class ExportBucket {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly clock: Clock,
  ) {}

  /** Begins an object, and says so: whoever comes after may have to clear it away. @throws {Superseded} */
  async begin(attempt: Attempt, key: string): Promise<MultipartUpload> {
    const upload = await this.storage.beginMultipart(key);
    try {
      await this.inside(attempt, (tx) => reportExport(tx, attempt, upload.started, this.clock.now()));
    } catch (error) {
      if (error instanceof Superseded) await this.storage.abortMultipart(upload.started);
      throw error;
    }
    return upload;
  }

  /**
   * @param upload undefined when nothing was written
   * @param size in bytes
   * @throws what the bucket says of parts it has lost, {@link Altered}
   */
  async complete(key: string, upload: MultipartUpload | undefined, size: number): Promise<void> {
    let failure: Error | undefined;
    if (!upload) await this.storage.writeBytes(key, Buffer.alloc(0));
    else
      await upload.complete().catch((error: Error) => {
        failure = error;
      });
    // An attempt that died after this has left an upload that is not known any more, because it is complete.
    if (failure && failure.name !== 'NoSuchUpload') throw failure;
    if ((await this.storage.head(key))?.size !== size) throw failure ?? new Altered();
  }

  /** A change by the attempt that counts. @throws {Superseded} */
  async inside(attempt: Attempt, change: (tx: SqlTransaction) => Promise<boolean>): Promise<void> {
    await this.database.withOrganizationSql(attempt.organizationId, async (tx) => {
      if (!(await change(tx))) throw new Superseded();
    });
  }
}
