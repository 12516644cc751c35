import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { GroupCommit } from '../../../platform/database/group-commit.js';
import { uploadsSettled } from '../../../platform/health/metrics.js';
import { AuditService } from '../../audit/audit.service.js';
import { type OutboxEntry, OutboxService } from '../../events/outbox.service.js';
import { OverlaysService } from '../../metadata/overlays.service.js';
import { failOrders, reviveOrders, takesSidecar } from '../order-outcome.js';
import { type KeptUpload, Registrar, type Registration, type SurfaceListener } from '../registrar.js';
import { insertEntries } from '../upload.issue.js';
import { describeArchives, register, reject, verify } from '../upload.ledger.js';
import { rejection } from '../uploads.rules.js';
import { type AcceptedVerdict, isAccepted, type Verdict } from './content.js';
import { type KeptObject, keepObjects } from './object.keeper.js';
import { eventsOf, type Settled } from './settlement.events.js';

/** Injection token of the surfaces that are told of their files. */
export const SURFACE_LISTENERS = Symbol('SurfaceListeners');

/**
 * Writes verdicts to the ledger: `landed -> verified -> registered`, or `rejected`, with their events, in one
 * transaction. Verdicts of one organization that arrive together share it.
 */
@Injectable()
export class SettlementService {
  private readonly commits = new GroupCommit<Verdict, void>((organizationId, verdicts) =>
    this.commit(organizationId, verdicts),
  );

  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly outbox: OutboxService,
    private readonly overlays: OverlaysService,
    private readonly registrar: Registrar,
    @Inject(SURFACE_LISTENERS) private readonly surfaces: SurfaceListener[],
    private readonly clock: Clock,
  ) {}

  /** Resolves when the verdict is committed, or found to be too late: somebody else settled the upload first. */
  settle(organizationId: string, verdict: Verdict): Promise<void> {
    return this.commits.add(organizationId, verdict);
  }

  private async commit(organizationId: string, verdicts: Verdict[]): Promise<void[]> {
    const { registered, rejected } = await this.database.withOrganizationSql(organizationId, (tx) =>
      this.write(tx, organizationId, verdicts),
    );
    if (registered.length > 0) uploadsSettled.inc({ state: 'registered', rule: '' }, registered.length);
    for (const { rejection } of rejected) uploadsSettled.inc({ state: 'rejected', rule: rejection.rule });
    return verdicts.map(() => undefined);
  }

  private async write(tx: SqlTransaction, organizationId: string, verdicts: Verdict[]): Promise<Settled> {
    const now = this.clock.now();
    const accepted = verdicts.filter(isAccepted);
    await this.registrar.lock(tx, organizationId, accepted.flatMap(headersOf));
    const moved = new Set(await verify(tx, organizationId, accepted.map(attemptOf), now));
    const verified = accepted.filter(({ uploadId }) => moved.has(uploadId));
    const entries = verified.flatMap(entriesOf);
    if (entries.length > 0) await insertEntries(tx, organizationId, entries, now);
    const kept = await keepObjects(tx, organizationId, verified, now);

    const settled = await this.register(tx, organizationId, verified, kept);
    for (const verdict of verdicts)
      if ('rejection' in verdict.outcome)
        settled.rejected.push({ verdict, uploadId: verdict.uploadId, rejection: verdict.outcome.rejection });
    if (settled.registered.length > 0) await register(tx, organizationId, settled.registered, now);
    if (settled.rejected.length > 0) {
      const refused = new Set(await reject(tx, organizationId, settled.rejected, now));
      settled.rejected = settled.rejected.filter(({ uploadId }) => refused.has(uploadId));
    }
    await describeArchives(tx, organizationId, verified.flatMap(contentsOf));
    await this.tellOthers(tx, organizationId, settled, kept, now);
    await this.audit.record(tx, ...eventsOf(organizationId, verified, settled));
    return settled;
  }

  /** Instances go into the index of studies, NIfTI sets to their order; all else is kept as it is. */
  private async register(
    tx: SqlTransaction,
    organizationId: string,
    verified: AcceptedVerdict[],
    kept: Map<string, KeptObject>,
  ): Promise<Settled> {
    const settled: Settled = { registered: [], rejected: [], accompanied: new Set() };
    const orders = new Map<string, string>();
    const note = (
      verdict: Verdict,
      uploadId: string,
      outcome: Partial<Extract<Registration, { studyId: string }>>,
    ) => {
      const { id: storedObjectId, existed } = kept.get(uploadId)!;
      const { studyId, orderId } = outcome;
      if (orderId) orders.set(verdict.uploadId, orderId);
      const duplicate = existed || (outcome.duplicate ?? false);
      settled.registered.push({
        verdict,
        uploadId,
        storedObjectId,
        duplicate,
        ...(studyId && { studyId }),
        ...(orderId && { orderId }),
      });
    };

    const instances = verified.flatMap((verdict) => instancesOf(verdict, kept));
    const registrations = await this.registrar.register(
      tx,
      organizationId,
      instances.map(({ instance }) => instance),
    );
    registrations.forEach((registration, index) => {
      const { verdict, instance } = instances[index]!;
      const { uploadId, storedObjectId } = instance;
      if ('rejection' in registration)
        settled.rejected.push({ verdict, uploadId, rejection: registration.rejection, storedObjectId });
      else note(verdict, uploadId, { ...registration });
    });

    const volumes = verified.flatMap((verdict) => volumeOf(verdict, kept));
    const volumeOrders = await this.registrar.registerVolumes(
      tx,
      organizationId,
      volumes.map(({ volume }) => volume),
    );
    volumes.forEach(({ verdict }, index) => orders.set(verdict.uploadId, volumeOrders[index]!));

    const taken = new Set(settled.registered.map(({ verdict }) => verdict));
    for (const verdict of verified) {
      const { uploadId, outcome } = verdict;
      const { content } = outcome;
      if (content.kind === 'dicom') continue;
      if (content.kind === 'zip' && !content.nifti && !taken.has(verdict)) {
        // Each of its instances was refused: so is the archive, and what its sidecar says.
        const { id: storedObjectId } = kept.get(uploadId)!;
        settled.rejected.push({ verdict, uploadId, rejection: rejection('dicom.conflict'), storedObjectId });
        continue;
      }
      const orderId = orders.get(verdict.uploadId) ?? verdict.copy.orderId;
      const opaque =
        content.kind === 'zip' ? content.entries.filter((entry) => entry.content.kind !== 'dicom') : [];
      for (const kept of [verdict, ...opaque]) note(verdict, kept.uploadId, { orderId });
      if (content.kind !== 'zip' || !content.sidecar || !orderId) continue;
      if (!(await takesSidecar(tx, organizationId, orderId, verdict.copy.landedAt))) continue;
      await this.overlays.accompany(tx, organizationId, orderId, content.sidecar);
      settled.accompanied.add(uploadId);
    }
    return settled;
  }

  private async tellOthers(
    tx: SqlTransaction,
    organizationId: string,
    { registered, rejected }: Settled,
    kept: Map<string, KeptObject>,
    now: Date,
  ): Promise<void> {
    await reviveOrders(
      tx,
      organizationId,
      // A report that an order has failed does not make it succeed.
      registered.flatMap(({ verdict, orderId }) => (verdict.copy?.surface === 'ingestion' && orderId) || []),
    );
    const orderOf = ({ copy }: Verdict) => copy?.orderId ?? undefined;
    const failed = await failOrders(
      tx,
      organizationId,
      rejected.flatMap(({ verdict }) => orderOf(verdict) ?? []),
      now,
    );
    await this.outbox.emit(tx, organizationId, [
      ...rejected.map(({ verdict, uploadId, rejection }): OutboxEntry => {
        const order_id = orderOf(verdict);
        return {
          type: 'upload.rejected',
          data: { upload_id: uploadId, ...(order_id && { order_id }), rule: rejection.rule },
        };
      }),
      ...failed.map((order_id): OutboxEntry => ({ type: 'order.failed', data: { order_id } })),
    ]);
    for (const listener of this.surfaces) {
      const own = registered.filter(({ verdict }) => verdict.copy?.surface === listener.surface);
      const uploads = own.map(({ verdict, uploadId }) =>
        keptUpload(verdict as AcceptedVerdict, uploadId, kept),
      );
      if (uploads.length > 0) await listener.registered(tx, organizationId, uploads);
    }
  }
}

const attemptOf = ({ uploadId, copy }: AcceptedVerdict) => ({ uploadId, attempt: copy.attempt });

function headersOf({ outcome: { content } }: AcceptedVerdict) {
  if (content.kind === 'dicom') return [content.header];
  const entries = content.kind === 'zip' ? content.entries : [];
  return entries.flatMap(({ content }) => (content.kind === 'dicom' ? [content.header] : []));
}

function entriesOf({ uploadId: parentId, outcome: { content } }: AcceptedVerdict) {
  return content.kind === 'zip' ? content.entries.map((entry) => ({ ...entry, parentId })) : [];
}

function contentsOf({ uploadId, outcome: { content } }: AcceptedVerdict) {
  if (content.kind !== 'zip') return [];
  const { entries, skipped, nifti } = content;
  return [{ uploadId, contents: { kind: nifti ? 'nifti' : 'dicom', entries: entries.length, skipped } }];
}

function keptUpload({ copy }: AcceptedVerdict, uploadId: string, kept: Map<string, KeptObject>): KeptUpload {
  const { surface, orderId, principalId } = copy;
  return { uploadId, surface, orderId, principalId, storedObjectId: kept.get(uploadId)!.id };
}

function instancesOf(verdict: AcceptedVerdict, kept: Map<string, KeptObject>) {
  const { mayReplace, landedAt } = verdict.copy;
  const { content } = verdict.outcome;
  const parts = content.kind === 'zip' ? content.entries : [{ uploadId: verdict.uploadId, content }];
  return parts.flatMap(({ uploadId, content }) =>
    content.kind === 'dicom'
      ? [
          {
            verdict,
            instance: {
              ...keptUpload(verdict, uploadId, kept),
              mayReplace,
              landedAt,
              header: content.header,
            },
          },
        ]
      : [],
  );
}

function volumeOf(verdict: AcceptedVerdict, kept: Map<string, KeptObject>) {
  const { content } = verdict.outcome;
  if (content.kind !== 'zip' || !content.nifti) return [];
  const idOf = (kind: string) => content.entries.find((entry) => entry.content.kind === kind)!.uploadId;
  const volume = {
    ...keptUpload(verdict, idOf('nifti'), kept),
    bvalUploadId: idOf('bval'),
    bvecUploadId: idOf('bvec'),
    ...content.nifti,
  };
  return [{ verdict, volume }];
}
