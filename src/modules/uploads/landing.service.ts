import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import type { AuditActor, AuditOrigin } from '../audit/audit.events.js';
import { AuditService } from '../audit/audit.service.js';
import { land, type LandedFacts, type LandedUpload } from './upload.ledger.js';
import { verifyUpload } from './uploads.jobs.js';
import { parseStagingKey, stagingKey } from './uploads.keys.js';

/** Up to this many objects are asked for one by one; more are found by listing the stretch of keys they lie in. */
const MAX_SINGLE_LOOKUPS = 32;
const PARALLEL_LOOKUPS = 8;

/** Who noticed the landing. */
export interface Witness {
  organizationId: string;
  actor: AuditActor;
  origin?: AuditOrigin;
}

export const witnessOf = ({ principal: { organizationId, kind, id, label }, request }: Caller): Witness => ({
  organizationId,
  actor: { kind, id, label },
  origin: request,
});

/** Notices objects in the bucket: one code path for confirm calls, notifications and the reconciler. */
@Injectable()
export class LandingService {
  constructor(
    private readonly storage: StorageService,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /** What lies in the bucket for these uploads. Network I/O: not inside a transaction. */
  async look(organizationId: string, uploadIds: string[]): Promise<LandedFacts[]> {
    return uploadIds.length <= MAX_SINGLE_LOOKUPS
      ? this.lookSingly(organizationId, uploadIds)
      : this.lookByListing(organizationId, uploadIds);
  }

  /** Moves them to `landed`, with one event an exam or order, and one for each of neither. Returns the ids that moved. */
  async landWithin(tx: Transaction, witness: Witness, facts: LandedFacts[]): Promise<string[]> {
    if (facts.length === 0) return [];
    const { organizationId, actor, origin } = witness;
    const moved = await land(tx, organizationId, facts, this.clock.now());
    const groups = new Map<string, { resource: { type: string; id: string }; count: number }>();
    for (const upload of moved) {
      const resource = parentOf(upload);
      groups.set(resource.id, { resource, count: (groups.get(resource.id)?.count ?? 0) + 1 });
    }
    await this.audit.record<'uploads:land'>(
      tx,
      ...[...groups.values()].map(({ resource, count }) => ({
        organizationId,
        actor,
        action: 'uploads:land' as const,
        outcome: 'success' as const,
        resource,
        ...(origin && { origin }),
        detail: { count },
      })),
    );
    return moved.map(({ id }) => id);
  }

  /** The same in a transaction of its own, and verification queued after it. Returns how many moved. */
  async land(witness: Witness, facts: LandedFacts[]): Promise<number> {
    const moved = await this.database.withOrganization(witness.organizationId, (tx) =>
      this.landWithin(tx, witness, facts),
    );
    await this.queueVerification(witness, moved);
    return moved.length;
  }

  /** After the commit that landed them. */
  queueVerification({ organizationId, origin }: Witness, uploadIds: string[]): Promise<void> {
    const { requestId, traceId } = origin ?? {};
    return this.enqueuer.enqueue(
      verifyUpload,
      uploadIds.map((uploadId) => ({
        organizationId,
        uploadId,
        ...(requestId && { requestId }),
        ...(traceId && { traceId }),
      })),
    );
  }

  private async lookSingly(organizationId: string, uploadIds: string[]): Promise<LandedFacts[]> {
    const found: LandedFacts[] = [];
    const waiting = [...uploadIds];
    const lookup = async () => {
      for (let uploadId = waiting.pop(); uploadId; uploadId = waiting.pop()) {
        const object = await this.storage.head(stagingKey(organizationId, uploadId));
        if (object) found.push({ uploadId, ...object });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LOOKUPS }, lookup));
    return found;
  }

  /** Ids are UUIDv7, so those of one exam lie close together in the order of keys. */
  private async lookByListing(organizationId: string, uploadIds: string[]): Promise<LandedFacts[]> {
    const wanted = new Set(uploadIds);
    const sorted = [...uploadIds].sort();
    const first = stagingKey(organizationId, sorted[0]!);
    const range = { startAfter: first.slice(0, -1), last: stagingKey(organizationId, sorted.at(-1)!) };
    const found: LandedFacts[] = [];
    for await (const page of this.storage.list(stagingKey(organizationId, ''), range))
      for (const object of page) {
        const uploadId = parseStagingKey(object.key)?.uploadId;
        if (uploadId && wanted.has(uploadId)) found.push({ uploadId, ...object });
      }
    return found;
  }
}

function parentOf({ id, examId, orderId }: LandedUpload): { type: string; id: string } {
  if (examId) return { type: 'Exam', id: examId };
  return orderId ? { type: 'Order', id: orderId } : { type: 'Upload', id };
}
