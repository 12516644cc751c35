import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { GroupCommit } from '../../platform/database/group-commit.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import type { AuditActor, AuditEntry, AuditOrigin } from '../audit/audit.events.js';
import { AuditService } from '../audit/audit.service.js';
import { land, type LandedFacts, type LandedUpload } from './upload.ledger.js';
import { type VerifyUploadPayload, verifyUpload } from './uploads.jobs.js';
import { parseStagingKey, stagingKey } from './uploads.keys.js';

/** Up to this many objects are asked for one by one; more are found by listing the stretch of keys they lie in. */
const MAX_SINGLE_LOOKUPS = 32;
const PARALLEL_LOOKUPS = 8;
/** Jobs in one call to the queue. More than wait at a time: a queue that is away then keeps nobody waiting twice. */
const JOBS_PER_CALL = 500;

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

interface Landing {
  witness: Witness;
  facts: LandedFacts[];
}

/**
 * Notices objects in the bucket: one code path for confirm calls, notifications and the reconciler. Those of one
 * organization that arrive together share a transaction and a call to the queue: a bucket tells of each object singly.
 */
@Injectable()
export class LandingService {
  private readonly commits = new GroupCommit<Landing, string[]>((organizationId, landings) =>
    this.database.withOrganizationSql(organizationId, (tx) => this.commit(tx, organizationId, landings)),
  );
  private readonly jobs = new GroupCommit<VerifyUploadPayload[], void>(async (_, payloads) => {
    await this.enqueuer.enqueue(verifyUpload, payloads.flat());
    return payloads.map(() => undefined);
  }, JOBS_PER_CALL);

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
  async landWithin(tx: SqlTransaction, witness: Witness, facts: LandedFacts[]): Promise<string[]> {
    if (facts.length === 0) return [];
    const [moved] = await this.commit(tx, witness.organizationId, [{ witness, facts }]);
    return moved!;
  }

  /** The same in a transaction of its own, and verification queued after it. Returns how many moved. */
  async land(witness: Witness, facts: LandedFacts[]): Promise<number> {
    if (facts.length === 0) return 0;
    const moved = await this.commits.add(witness.organizationId, { witness, facts });
    await this.queueVerification(witness, moved);
    return moved.length;
  }

  /** After the commit that landed them. */
  async queueVerification({ organizationId, origin }: Witness, uploadIds: string[]): Promise<void> {
    if (uploadIds.length === 0) return;
    const { requestId, traceId } = origin ?? {};
    const payloads = uploadIds.map((uploadId) => ({
      organizationId,
      uploadId,
      ...(requestId && { requestId }),
      ...(traceId && { traceId }),
    }));
    await this.jobs.add(organizationId, payloads);
  }

  private async commit(tx: SqlTransaction, organizationId: string, landings: Landing[]): Promise<string[][]> {
    // In one order, so that two who tell of the same objects hardly ever wait for each other in a circle.
    const facts = landings
      .flatMap((landing) => landing.facts)
      .sort((a, b) => (a.uploadId < b.uploadId ? -1 : 1));
    const landed = new Map(
      (await land(tx, organizationId, facts, this.clock.now())).map((one) => [one.id, one]),
    );
    const shares = landings.map((landing) =>
      landing.facts.flatMap(({ uploadId }) => {
        const upload = landed.get(uploadId);
        landed.delete(uploadId); // two may tell of one object: the first has moved it
        return upload ?? [];
      }),
    );
    await this.audit.record(
      tx,
      ...landings.flatMap(({ witness }, index) => eventsOf(witness, shares[index]!)),
    );
    return shares.map((share) => share.map(({ id }) => id));
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

/** One event an exam or order, and one for each upload of neither. */
function eventsOf(
  { organizationId, actor, origin }: Witness,
  landed: LandedUpload[],
): AuditEntry<'uploads:land'>[] {
  const groups = new Map<string, { resource: { type: string; id: string }; count: number }>();
  for (const upload of landed) {
    const resource = parentOf(upload);
    groups.set(resource.id, { resource, count: (groups.get(resource.id)?.count ?? 0) + 1 });
  }
  return [...groups.values()].map(({ resource, count }) => ({
    organizationId,
    actor,
    action: 'uploads:land',
    outcome: 'success',
    resource,
    ...(origin && { origin }),
    detail: { count },
  }));
}

function parentOf({ id, examId, orderId }: LandedUpload): { type: string; id: string } {
  if (examId) return { type: 'Exam', id: examId };
  return orderId ? { type: 'Order', id: orderId } : { type: 'Upload', id };
}
