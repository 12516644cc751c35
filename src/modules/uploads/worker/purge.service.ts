import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService, type Transaction } from '../../../platform/database/database.service.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { AuditService } from '../../audit/audit.service.js';
import { purge } from '../upload.ledger.js';
import { SYSTEM } from './system-actor.js';

/** A marked object goes this much later: a download that was just signed still works, and a mistake can be seen. */
const MARKED_LIFETIME_MS = 24 * 3600 * 1000;

/**
 * An attempt that takes longer than this, and is not reading an archive (which renews its record), has died; its copy is swept, and once more as long after that: a worker that
 * only stood still may have made the copy after the first time.
 */
const COPY_LIFETIME_MS = 3600 * 1000;

const BATCH = 500;

interface Copy {
  organization_id: string;
  upload_id: string;
  attempt: number;
  key: string;
  /** An archive's entries lie under `<key>/`. */
  prefix: boolean;
}

/** A copy given up now, or `again`. */
type AbandonedCopy = Copy & { again: boolean };

/** Removes bytes that nothing refers to any more. References are counted by query, never by a counter. */
@Injectable()
export class PurgeService {
  private readonly logger = new Logger(PurgeService.name);

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async run(): Promise<void> {
    await this.purgeDeletedUploads();
    await this.removeMarkedObjects();
    await this.removeAbandonedCopies();
  }

  /** `deleted` -> `purged` when the recovery time is over; objects left without a reference are marked. */
  private async purgeDeletedUploads(): Promise<void> {
    const deletedBefore = this.ago(this.config.PURGE_AFTER_HOURS * 3600 * 1000);
    const rows = await this.database.outside.$queryRaw<{ id: string; organization_id: string }[]>`
      SELECT * FROM reconcile_deleted(${deletedBefore}::timestamptz, ${BATCH}::int)`;
    for (const [organizationId, uploads] of byOrganization(rows))
      await this.database.withOrganization(organizationId, async (tx) => {
        const ids = uploads.map(({ id }) => id);
        const objects = await this.lockObjects(tx, organizationId, ids);
        const count = await purge(tx, organizationId, ids, this.clock.now());
        await this.markUnreferenced(tx, organizationId, objects);
        if (count > 0)
          await this.audit.record<'uploads:purge'>(tx, {
            organizationId,
            actor: SYSTEM,
            action: 'uploads:purge',
            outcome: 'success',
            detail: { count },
          });
      });
  }

  /** The row lock makes a registration of equal content wait; it then finds the mark and keeps its own copy. */
  private async lockObjects(tx: Transaction, organizationId: string, uploadIds: string[]): Promise<string[]> {
    const objects = await tx.$queryRaw<{ id: string }[]>`
      SELECT o.id FROM stored_object o
      WHERE o.organization_id = ${organizationId}::uuid AND o.purging_at IS NULL AND o.id IN (
        SELECT stored_object_id FROM upload WHERE organization_id = ${organizationId}::uuid AND id = ANY (${uploadIds}::uuid[]))
      ORDER BY o.sha256 FOR UPDATE`;
    return objects.map(({ id }) => id);
  }

  /** A deleted upload refers to its object until it is purged itself: a deletion stays recoverable for its whole time. */
  private async markUnreferenced(
    tx: Transaction,
    organizationId: string,
    objectIds: string[],
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE stored_object o SET purging_at = ${this.clock.now()}::timestamptz
      WHERE o.organization_id = ${organizationId}::uuid AND o.id = ANY (${objectIds}::uuid[])
        AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.organization_id = o.organization_id AND u.stored_object_id = o.id)
        AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.organization_id = o.organization_id AND i.stored_object_id = o.id)`;
  }

  /** Bytes first, row after: a crash between leaves a row that is tried again, never bytes without a row. */
  private async removeMarkedObjects(): Promise<void> {
    const rows = await this.database.outside.$queryRaw<
      { id: string; organization_id: string; key: string }[]
    >`
      SELECT * FROM reconcile_purging(${this.ago(MARKED_LIFETIME_MS)}::timestamptz, ${BATCH}::int)`;
    const kept = await this.delete(rows.map(({ key }) => key));
    for (const [organizationId, objects] of byOrganization(rows)) {
      const gone = objects.filter(({ key }) => !kept.has(key)).map(({ id }) => id);
      const later = objects.filter(({ key }) => kept.has(key)).map(({ id }) => id);
      await this.database.withOrganization(organizationId, async (tx) => {
        await tx.$executeRaw`
          DELETE FROM stored_object o
          WHERE o.organization_id = ${organizationId}::uuid AND o.id = ANY (${gone}::uuid[])`;
        await tx.$executeRaw`
          UPDATE stored_object o SET purging_at = ${this.clock.now()}::timestamptz
          WHERE o.organization_id = ${organizationId}::uuid AND o.id = ANY (${later}::uuid[])`;
      });
    }
  }

  /** Deletes what the bucket lets go. What it keeps (an object lock) must not stand in the way of everything else. */
  private async delete(keys: string[]): Promise<Set<string>> {
    const kept = await this.storage.delete(keys);
    if (kept.size > 0)
      this.logger.warn(`the bucket kept ${kept.size} of ${keys.length} objects; tried again in a day`);
    return kept;
  }

  /**
   * Given up in the ledger first, so that a stalled worker can no longer win with a copy that is about to vanish; not
   * when it was renewed since it was found.
   */
  private async removeAbandonedCopies(): Promise<void> {
    const before = this.ago(COPY_LIFETIME_MS);
    const rows = await this.database.outside.$queryRaw<Copy[]>`
      SELECT * FROM reconcile_copies(${before}::timestamptz, ${BATCH}::int)`;
    for (const [organizationId, copies] of byOrganization(rows)) {
      const wanted = {
        ids: copies.map(({ upload_id }) => upload_id),
        attempts: copies.map(({ attempt }) => attempt),
      };
      const now = this.clock.now();
      const abandoned = await this.database.withOrganization(
        organizationId,
        (tx) => tx.$queryRaw<AbandonedCopy[]>`
        UPDATE object_copy c SET abandoned_at = coalesce(c.abandoned_at, ${now}::timestamptz), created_at = ${now}::timestamptz
        FROM unnest(${wanted.ids}::uuid[], ${wanted.attempts}::int[]) AS w(id, attempt)
        WHERE c.organization_id = ${organizationId}::uuid AND c.upload_id = w.id AND c.attempt = w.attempt
          AND c.created_at < ${before}::timestamptz
        RETURNING c.organization_id, c.upload_id, c.attempt, c.key, c.prefix, c.abandoned_at < ${now}::timestamptz AS again`,
      );
      const kept = await this.delete(abandoned.map(({ key }) => key));
      for (const { key, prefix } of abandoned)
        if (prefix && (await this.storage.deletePrefix(`${key}/`)).size > 0) kept.add(key);
      const gone = abandoned.filter(({ key, again }) => again && !kept.has(key));
      await this.database.withOrganization(
        organizationId,
        (tx) => tx.$executeRaw`
        DELETE FROM object_copy c
        USING unnest(${gone.map(({ upload_id }) => upload_id)}::uuid[], ${gone.map(({ attempt }) => attempt)}::int[]) AS w(id, attempt)
        WHERE c.organization_id = ${organizationId}::uuid AND c.upload_id = w.id AND c.attempt = w.attempt`,
      );
    }
  }

  private ago(milliseconds: number): Date {
    return new Date(this.clock.now().getTime() - milliseconds);
  }
}

function byOrganization<Row extends { organization_id: string }>(rows: Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.organization_id, [...(groups.get(row.organization_id) ?? []), row]);
  return groups;
}
