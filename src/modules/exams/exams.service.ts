import { Injectable } from '@nestjs/common';
import type { Exam } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { ShareLinksService } from '../sharing/share-links.service.js';
import { StudiesService } from '../studies/studies.service.js';
import { LandingService, witnessOf } from '../uploads/landing.service.js';
import { deleteOfExam, LATE_LANDING_MS } from '../uploads/upload.ledger.js';
import { type IssuedUpload, UploadsService } from '../uploads/uploads.service.js';
import { fileTooLarge, FilesMissing, tooManyAttempts } from './exams.errors.js';
import { type ConfirmedExam, type CreateExam, type IssuedExam, MAX_FILE_BYTES } from './exams.schemas.js';

/** A file that did not arrive by this many URLs will not: each is a record for ever. */
const MAX_ATTEMPTS = 50;

const DAY_MS = 24 * 3600 * 1000;

/** What an exam still waits for. */
interface Progress {
  exam: Exam;
  /** Slots nothing has landed in, in order. */
  open: { id: string; name: string; size: number }[];
  /** Attempts whose object the ledger has not seen. */
  unseen: string[];
  /** Most URLs issued for one of the open slots. */
  attempts: number;
}

/** Exams: a named batch of uploads (seed 000). Each call is one transaction of change and event. */
@Injectable()
export class ExamsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly uploads: UploadsService,
    private readonly landing: LandingService,
    private readonly studies: StudiesService,
    private readonly links: ShareLinksService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws file_too_large, idempotency_conflict, idempotency_mismatch */
  async create(caller: Caller, input: CreateExam, idempotencyKey: string | undefined): Promise<IssuedExam> {
    const tooLarge = input.files.find(({ size }) => size > MAX_FILE_BYTES);
    if (tooLarge) throw fileTooLarge(tooLarge.name);
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'exams:create', key: idempotencyKey, body: input };
    const exam = { id: newId(), status: 'uploading' as const };
    const outcome = await this.database.withOrganizationSql(organizationId, async (tx) => {
      const earlier = await this.idempotency.earlier(tx, claim);
      if (earlier) return { earlier };
      await this.insert(tx, caller, exam.id, input);
      const issued = await this.uploads.issueForExam(tx, caller, exam.id, input.files);
      await this.idempotency.remember(tx, claim, exam.id);
      await this.recordCreation(tx, caller, exam.id, input.files, false);
      return { issued };
    });
    return outcome.issued
      ? this.toIssued(caller, exam, outcome.issued)
      : this.replay(caller, outcome.earlier);
  }

  /** Fresh URLs for the files that have not landed. @throws not_found */
  async issueUrls(caller: Caller, id: string): Promise<IssuedExam> {
    const { exam, issued, landed } = await this.afterLooking(
      caller,
      'exams:issue-urls',
      id,
      async (tx, { exam, open }) => {
        const issued = await this.uploads.reissue(tx, caller, open);
        await this.audit.record(
          tx,
          actedBy<'exams:issue-urls'>(caller, {
            action: 'exams:issue-urls',
            resource: { type: 'Exam', id },
            detail: { urls: issued.length },
          }),
        );
        return { exam, issued };
      },
    );
    await this.landing.queueVerification(witnessOf(caller), landed);
    return this.toIssued(caller, exam, issued);
  }

  /**
   * Marks the exam ready when every file has landed with its declared size; the same answer each time, and to callers
   * at once. What has landed is kept even when others are missing. @throws not_found, files_missing
   */
  async confirm(caller: Caller, id: string): Promise<ConfirmedExam> {
    const { landed, ...outcome } = await this.afterLooking(
      caller,
      'exams:confirm',
      id,
      async (tx, { exam, open }) => {
        if (open.length > 0) return { missing: open.map(({ name }) => name) };
        const { count } = await tx.exam.updateMany({
          where: { id, status: 'uploading' },
          data: { status: 'ready', confirmedAt: this.clock.now() },
        });
        const link = await this.links.ensure(tx, exam);
        const files = await tx.slot.count({ where: { examId: id } });
        await this.audit.record(
          tx,
          actedBy<'exams:confirm'>(caller, {
            action: 'exams:confirm',
            resource: { type: 'Exam', id },
            detail: { files, repeated: count === 0 },
          }),
        );
        return { link };
      },
    );
    await this.landing.queueVerification(witnessOf(caller), landed);
    if (outcome.missing) throw new FilesMissing(outcome.missing);
    const urls = this.links.urls(outcome.link) ?? { share_url: null, viewer_url: null };
    return { ok: true, exam_id: id, status: 'ready', ...urls };
  }

  /** Soft: its uploads leave study index and share page at once, their bytes in the background. @throws not_found */
  async remove(caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    await this.database.withOrganization(organizationId, async (tx) => {
      await this.studies.lockOfExam(tx, organizationId, id);
      const exam = await this.lock(tx, caller, 'exams:delete', id);
      const now = this.clock.now();
      await tx.exam.update({ where: { id: exam.id }, data: { deletedAt: now } });
      // What the update itself returns, not what stood there before it: a worker may have registered some meanwhile.
      const deleted = await deleteOfExam(tx, organizationId, id, 'exam deleted', now);
      const objects = new Set(deleted.flatMap(({ storedObjectId }) => storedObjectId ?? []));
      await this.studies.withdrawUnreferenced(tx, organizationId, [...objects]);
      await this.links.revoke(tx, organizationId, id);
      await this.audit.record(
        tx,
        actedBy<'exams:delete'>(caller, {
          action: 'exams:delete',
          resource: { type: 'Exam', id },
          detail: { uploads: deleted.length },
        }),
      );
    });
  }

  /**
   * Looks into the bucket for what the ledger has not seen, lands it, and runs `work` on what is then still open, under
   * the exam's lock: two callers at once take turns. The bucket is asked before the transaction, never inside it.
   */
  private async afterLooking<T extends object>(
    caller: Caller,
    operation: string,
    id: string,
    work: (tx: Transaction, progress: Progress) => Promise<T>,
  ): Promise<T & { landed: string[] }> {
    const { organizationId } = caller.principal;
    const { unseen } = await this.database.withOrganization(organizationId, (tx) =>
      this.progress(tx, caller, operation, id),
    );
    const facts = unseen.length > 0 ? await this.landing.look(organizationId, unseen) : [];
    return this.database.withOrganization(organizationId, async (tx) => {
      await this.lock(tx, caller, operation, id);
      const landed = await this.landing.landWithin(tx, witnessOf(caller), facts);
      return { ...(await work(tx, await this.progress(tx, caller, operation, id))), landed };
    });
  }

  private async progress(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Progress> {
    const exam = await this.find(tx, caller, operation, id);
    if (exam.status === 'ready') return { exam, open: [], unseen: [], attempts: 0 };
    const landable = new Date(this.clock.now().getTime() - LATE_LANDING_MS);
    const slots = await tx.$queryRaw<
      { id: string; name: string; size: bigint; unseen: string[] | null; attempts: number }[]
    >`
      SELECT s.id, s.name, s.size, array_agg(u.id::text) FILTER (
               WHERE u.state = 'issued' OR (u.state = 'expired' AND u.url_expires_at > ${landable}::timestamptz)) AS unseen,
             count(u.id)::int AS attempts
      FROM slot s
      LEFT JOIN upload u ON u.organization_id = s.organization_id AND u.slot_id = s.id
      WHERE s.organization_id = ${exam.organizationId}::uuid AND s.exam_id = ${id}::uuid AND s.filled_by_id IS NULL
      GROUP BY s.organization_id, s.id ORDER BY s.position`;
    return {
      exam,
      open: slots.map((slot) => ({ id: slot.id, name: slot.name, size: Number(slot.size) })),
      unseen: slots.flatMap(({ unseen }) => unseen ?? []),
      attempts: Math.max(0, ...slots.map(({ attempts }) => attempts)),
    };
  }

  private async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Exam> {
    const exam = await tx.exam.findFirst({
      where: {
        AND: [
          accessibleBy(caller, operation).ofType('Exam'),
          { id, organizationId: caller.principal.organizationId, deletedAt: null },
        ],
      },
    });
    if (!exam) throw notFound();
    return exam;
  }

  private async lock(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Exam> {
    const { organizationId } = caller.principal;
    await tx.$queryRaw`SELECT 1 FROM exam WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
    return this.find(tx, caller, operation, id);
  }

  private async insert(tx: SqlTransaction, caller: Caller, id: string, input: CreateExam): Promise<void> {
    const now = this.clock.now();
    const expiresAt = input.expiration_days ? new Date(now.getTime() + input.expiration_days * DAY_MS) : null;
    await tx.$executeRaw`
      INSERT INTO exam (id, organization_id, name, patient_name, patient_id, birth_date, exam_type, reason, status,
                        created_by_id, created_at, expires_at)
      VALUES (${id}::uuid, ${caller.principal.organizationId}::uuid, ${input.name}, ${input.patient_name},
              ${input.patient_id ?? null}, ${input.birth_date ?? null}, ${input.exam_type ?? null}, ${input.reason ?? null},
              'uploading', ${caller.principal.id}::uuid, ${now}::timestamptz, ${expiresAt}::timestamptz)`;
  }

  /** What an earlier call with this Idempotency-Key made, with fresh URLs for what is still open. */
  private async replay(caller: Caller, id: string): Promise<IssuedExam> {
    const { exam, issued } = await this.database.withOrganization(
      caller.principal.organizationId,
      async (tx) => {
        await this.lock(tx, caller, 'exams:create', id); // or a deletion at the same time would leave them behind
        const { exam, open, attempts } = await this.progress(tx, caller, 'exams:create', id);
        if (attempts >= MAX_ATTEMPTS) throw tooManyAttempts();
        const issued = await this.uploads.reissue(tx, caller, open);
        await this.recordCreation(tx, caller, id, open, true);
        return { exam, issued };
      },
    );
    return this.toIssued(caller, exam, issued);
  }

  private recordCreation(
    tx: SqlTransaction,
    caller: Caller,
    id: string,
    files: { size: number }[],
    replayed: boolean,
  ): Promise<void> {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const detail = { files: files.length, bytes, replayed };
    return this.audit.record(
      tx,
      actedBy<'exams:create'>(caller, { action: 'exams:create', resource: { type: 'Exam', id }, detail }),
    );
  }

  private async toIssued(
    caller: Caller,
    exam: Pick<Exam, 'id' | 'status'>,
    issued: IssuedUpload[],
  ): Promise<IssuedExam> {
    const signed = await this.uploads.sign(caller, issued);
    return {
      exam_id: exam.id,
      status: exam.status,
      upload_urls: signed.map(({ url, headers, expiresAt }, index) => ({
        name: issued[index]!.name,
        url,
        method: 'PUT' as const,
        headers,
        expires_at: expiresAt.toISOString(),
      })),
    };
  }
}
