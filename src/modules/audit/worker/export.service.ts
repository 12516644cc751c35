import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { type MultipartUpload, TooManyParts } from '../../../platform/storage/multipart-upload.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { WORKER } from '../audit.actors.js';
import type { AuditEntry } from '../audit.events.js';
import { AuditService } from '../audit.service.js';
import type { WriteExportPayload } from '../exports.jobs.js';
import { manifestKey } from '../exports.keys.js';
import { ExportBucket } from './export.bucket.js';
import { LedgerDamaged, MonthRetired, NothingSealed, Superseded } from './export.errors.js';
import { ExportFile } from './export.file.js';
import { manifestLines } from './export.manifest.js';
import { ExportParts } from './export.parts.js';
import { progressMac } from './export.progress.js';
import {
  type Attempt,
  claimExport,
  type Claimed,
  failExport,
  finishExport,
  type Finished,
  recordFailure,
  recordScope,
  reportExport,
  type ScopedExport,
} from './export.rows.js';
import { findScope } from './export.scope.js';

/** Attempts that get no further, until it is given up: about five minutes of them, as they are queued. */
export const MOST_TRIES = 20;

/**
 * Writes exports of the ledger. A job goes on where the one before it died: a part of the file is recorded in the transaction
 * that moves the position of the next event. Only the manifest, which takes seconds, is begun anew.
 */
@Injectable()
export class ExportService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly file: ExportFile,
    private readonly bucket: ExportBucket,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Twice is once: what is finished is left alone. */
  async write(job: WriteExportPayload): Promise<void> {
    const claimed = await this.claim(job);
    if (!claimed) return;
    if (claimed.scope && !this.isOurs(claimed)) return this.fail(claimed, 'progress_forged');
    if (claimed.tries > MOST_TRIES) return this.fail(claimed, claimed.failure ?? 'gave_up');
    const { scope } = claimed;
    if (!scope) throw new NothingSealed();
    const underWay = { ...claimed, scope };
    try {
      if (!claimed.written) await this.file.write(underWay);
      const sha256 = await this.writeManifest(underWay);
      await this.end(claimed, (tx) => finishExport(tx, claimed, sha256, this.clock.now()), {
        sha256: sha256.toString('hex'),
      });
    } catch (error) {
      if (error instanceof LedgerDamaged) return this.fail(claimed, 'ledger_damaged', error.position);
      if (error instanceof MonthRetired) return this.fail(claimed, 'month_retired');
      if (error instanceof TooManyParts) return this.fail(claimed, 'too_large'); // every other try would be as well
      if (!(error instanceof Superseded)) throw error;
    }
  }

  /** What an attempt ended with; the last of many fails the export. */
  async giveUp(job: WriteExportPayload, error: unknown): Promise<void> {
    const { code, name } = error as { code?: unknown; name: string };
    const failure = typeof code === 'string' ? code : name;
    const row = await this.database.withOrganizationSql(job.organizationId, (tx) =>
      recordFailure(tx, job, failure),
    );
    if (row && row.tries >= MOST_TRIES) await this.fail({ ...job, attempt: row.attempt }, failure);
  }

  private claim(job: WriteExportPayload): Promise<Claimed | undefined> {
    return this.database.withOrganizationSql(job.organizationId, async (tx) => {
      const claimed = await claimExport(tx, job, this.clock.now());
      if (!claimed || claimed.scope) return claimed;
      const scope = await findScope(tx, job.organizationId, claimed);
      if (!scope) return claimed;
      const begun = { ...claimed, scope, next: scope.first };
      const mac = progressMac(this.config.SCANDOCK_MASTER_KEY, begun, begun);
      await recordScope(tx, claimed, scope, mac);
      return { ...begun, mac };
    });
  }

  /** Whether a worker has come as far as the database says. */
  private isOurs(claimed: Claimed): boolean {
    const expected = progressMac(this.config.SCANDOCK_MASTER_KEY, claimed, claimed);
    return claimed.mac?.length === expected.length && timingSafeEqual(claimed.mac, expected);
  }

  /** @returns its SHA-256 */
  private async writeManifest(written: ScopedExport): Promise<Buffer> {
    if (written.written && written.multipart) await this.storage.abortMultipart(written.multipart);
    const key = manifestKey({ ...written, id: written.exportId });
    const sha256 = createHash('sha256');
    let upload: MultipartUpload | undefined;
    let size = 0;
    const file = new ExportParts(
      async () => (upload ??= await this.bucket.begin(written, key)),
      ({ bytes }) => {
        size += bytes;
        return this.bucket.inside(written, (tx) =>
          reportExport(tx, written, upload?.started, this.clock.now()),
        );
      },
    );
    const sources = { database: this.database, masterKey: this.config.SCANDOCK_MASTER_KEY };
    try {
      for await (const line of manifestLines(sources, written, this.clock.now())) {
        sha256.update(line);
        file.add(line);
        await file.breathe(0);
      }
      await file.end(0);
    } finally {
      await file.settled();
    }
    await this.bucket.complete(key, upload, size);
    return sha256.digest();
  }

  private async fail(attempt: Attempt, code: string, firstBad: number | null = null): Promise<void> {
    const failed = await this.end(
      attempt,
      (tx) => failExport(tx, attempt, { failure: code, firstBad }, this.clock.now()),
      { code, first_bad: firstBad },
    );
    if (failed?.multipart) await this.storage.abortMultipart(failed.multipart);
  }

  /** Ends an export, and says so in the same transaction. Undefined when the attempt is no longer the one that counts. */
  private end(
    { organizationId, exportId }: Attempt,
    change: (tx: SqlTransaction) => Promise<Finished | undefined>,
    how: { sha256: string } | { code: string; first_bad: number | null },
  ): Promise<Finished | undefined> {
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      const ended = await change(tx);
      if (!ended) return undefined;
      const { format, rows, bytes } = ended;
      const event: AuditEntry<'audit:export-finished'> = {
        organizationId,
        actor: WORKER,
        action: 'audit:export-finished',
        outcome: 'sha256' in how ? 'success' : 'failure',
        resource: { type: 'AuditExport', id: exportId },
        detail: { export: exportId, format, rows, bytes, ...how },
      };
      await this.audit.record(tx, event);
      return ended;
    });
  }
}
