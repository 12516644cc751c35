import { Injectable } from '@nestjs/common';
import type { DicomHeader } from '../../../formats/dicom/inspector.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { unavailable } from '../../../platform/errors/application-error.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { GroupCommit } from '../../../platform/database/group-commit.js';
import { newId } from '../../../platform/database/id.js';
import { uploadsSettled } from '../../../platform/health/metrics.js';
import type { AuditEntry, AuditOrigin } from '../../audit/audit.events.js';
import { AuditService } from '../../audit/audit.service.js';
import { Registrar } from '../registrar.js';
import { type Claim, register, type Registered, reject, verify } from '../upload.ledger.js';
import type { Rejection } from '../uploads.rules.js';

type VerifiedCopy = Pick<Claim, 'attempt' | 'key' | 'principalId'>;

/** The outcome of one verification, to be written down. */
export interface Verdict {
  uploadId: string;
  /** The copy that was verified; absent when there was nothing to copy. */
  copy?: VerifiedCopy;
  origin: AuditOrigin;
  outcome: Rejected | Accepted;
}
interface Rejected {
  rejection: Rejection;
}
interface Accepted {
  size: number;
  sha256: Buffer;
  header: DicomHeader;
}
type AcceptedVerdict = Verdict & { outcome: Accepted; copy: VerifiedCopy };

interface KeptObject {
  id: string;
  /** Equal content was there already: the copy is not needed. */
  existed: boolean;
}

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
    private readonly registrar: Registrar,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the verdict is committed, or found to be too late: somebody else settled the upload first. */
  settle(organizationId: string, verdict: Verdict): Promise<void> {
    return this.commits.add(organizationId, verdict);
  }

  private async commit(organizationId: string, verdicts: Verdict[]): Promise<void[]> {
    const events = await this.database.withOrganizationSql(organizationId, (tx) =>
      this.write(tx, organizationId, verdicts),
    );
    for (const { action, detail } of events) {
      if (action === 'uploads:register') uploadsSettled.inc({ state: 'registered', rule: '' });
      if (action === 'uploads:reject')
        uploadsSettled.inc({ state: 'rejected', rule: (detail as { rule: string }).rule });
    }
    return verdicts.map(() => undefined);
  }

  private async write(
    tx: SqlTransaction,
    organizationId: string,
    verdicts: Verdict[],
  ): Promise<AuditEntry[]> {
    const now = this.clock.now();
    const accepted = verdicts.filter((verdict): verdict is AcceptedVerdict => 'sha256' in verdict.outcome);
    await this.registrar.lock(
      tx,
      organizationId,
      accepted.map(({ outcome }) => outcome.header),
    );

    const moved = new Set(
      accepted.length > 0
        ? await verify(
            tx,
            organizationId,
            accepted.map(({ uploadId, copy }) => ({ uploadId, attempt: copy.attempt })),
            now,
          )
        : [],
    );
    const verified = accepted.filter(({ uploadId }) => moved.has(uploadId));
    const kept = await this.keep(tx, organizationId, verified, now);
    const registrations = await this.registrar.register(
      tx,
      organizationId,
      verified.map(({ uploadId, copy, outcome }, index) => ({
        uploadId,
        principalId: copy.principalId,
        storedObjectId: kept[index]!.id,
        header: outcome.header,
      })),
    );

    const registered: (Registered & { verdict: Verdict })[] = [];
    const rejected: (Verdict & { rejection: Rejection; storedObjectId?: string })[] = verdicts.flatMap(
      (verdict) => ('rejection' in verdict.outcome ? [{ ...verdict, ...verdict.outcome }] : []),
    );
    registrations.forEach((registration, index) => {
      const verdict = verified[index]!;
      if ('rejection' in registration)
        rejected.push({ ...verdict, rejection: registration.rejection, storedObjectId: kept[index]!.id });
      else
        registered.push({
          verdict,
          uploadId: verdict.uploadId,
          storedObjectId: kept[index]!.id,
          studyId: registration.studyId,
          duplicate: registration.duplicate || kept[index]!.existed,
        });
    });
    if (registered.length > 0) await register(tx, organizationId, registered, now);
    const refused = new Set(rejected.length > 0 ? await reject(tx, organizationId, rejected, now) : []);

    const event = (
      verdict: Verdict,
      entry: Pick<AuditEntry, 'action' | 'detail' | 'studyRef'>,
    ): AuditEntry => ({
      organizationId,
      actor: { kind: 'system', id: 'worker' },
      outcome: 'success',
      resource: { type: 'Upload', id: verdict.uploadId },
      origin: verdict.origin,
      ...entry,
    });
    const events = [
      ...verified.map((verdict) =>
        event(verdict, {
          action: 'uploads:verify',
          detail: { size: verdict.outcome.size, attempt: verdict.copy.attempt },
        }),
      ),
      ...registered.map(({ verdict, studyId, duplicate }) =>
        event(verdict, { action: 'uploads:register', studyRef: studyId, detail: { duplicate } }),
      ),
      ...rejected
        .filter(({ uploadId }) => refused.has(uploadId))
        .map((verdict) =>
          event(verdict, { action: 'uploads:reject', detail: { rule: verdict.rejection.rule } }),
        ),
    ];
    await this.audit.record(tx, ...events);
    return events;
  }

  /**
   * Keeps each content once. The winner's recorded copy becomes the stored object; the copy of content that was there
   * already stays recorded, for the sweeper. In the order of the hashes, so that two workers cannot wait for each other.
   */
  private async keep(
    tx: SqlTransaction,
    organizationId: string,
    verified: AcceptedVerdict[],
    now: Date,
  ): Promise<KeptObject[]> {
    if (verified.length === 0) return [];
    const candidates = new Map<string, AcceptedVerdict & { id: string }>();
    for (const verdict of verified) {
      const digest = verdict.outcome.sha256.toString('hex');
      if (!candidates.has(digest)) candidates.set(digest, { ...verdict, id: newId() });
    }
    const ordered = [...candidates.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, candidate]) => candidate);
    const inserted = await tx.$queryRaw<{ id: string }[]>`
      INSERT INTO stored_object (id, organization_id, sha256, size, key, kind, created_at)
      SELECT o.id, ${organizationId}::uuid, decode(o.sha256, 'hex'), o.size, o.key, 'dicom', ${now}::timestamptz
      FROM unnest(${ordered.map(({ id }) => id)}::uuid[], ${ordered.map(({ outcome }) => outcome.sha256.toString('hex'))}::text[],
                  ${ordered.map(({ outcome }) => outcome.size)}::bigint[],
                  ${ordered.map(({ copy }) => copy.key)}::text[])
           AS o(id, sha256, size, key)
      ON CONFLICT (organization_id, sha256) WHERE purging_at IS NULL DO NOTHING
      RETURNING id`;
    const won = new Set(inserted.map(({ id }) => id));
    const winners = ordered.filter(({ id }) => won.has(id));
    const taken = await tx.$executeRaw`
      DELETE FROM object_copy c
      USING unnest(${winners.map(({ uploadId }) => uploadId)}::uuid[], ${winners.map(({ copy }) => copy.attempt)}::int[]) AS w(id, attempt)
      WHERE c.organization_id = ${organizationId}::uuid AND c.upload_id = w.id AND c.attempt = w.attempt AND c.abandoned_at IS NULL`;
    // The sweeper gave a copy up between our two statements: its bytes are about to vanish. All is rolled back and tried anew.
    if (taken !== winners.length)
      throw unavailable(new Error('a copy was given up while it was being settled'));

    // Plain bytea, no decode(): a function that is not leakproof may not run before row-level security, and would cost
    // the index. Shared lock: a purge that is about to mark one of them waits, and then sees the new reference.
    const living = await tx.$queryRaw<{ id: string; digest: string }[]>`
      SELECT id, encode(sha256, 'hex') AS digest FROM stored_object
      WHERE organization_id = ${organizationId}::uuid AND purging_at IS NULL
        AND sha256 = ANY (${ordered.map(({ outcome }) => outcome.sha256)}::bytea[])
      ORDER BY sha256 FOR SHARE`;
    const byDigest = new Map(living.map(({ id, digest }) => [digest, id]));
    // A purge marked equal content after our insert had found it: the next try keeps its own copy.
    if (byDigest.size !== ordered.length) throw unavailable(new Error('equal content is being purged'));
    return verified.map(({ uploadId, outcome }) => {
      const digest = outcome.sha256.toString('hex');
      const candidate = candidates.get(digest)!;
      return {
        id: byDigest.get(digest)!,
        existed: !won.has(candidate.id) || candidate.uploadId !== uploadId,
      };
    });
  }
}
