import { Injectable } from '@nestjs/common';
import type { Exam, Prisma, ShareLink } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, pageOf } from '../../platform/http/cursor.js';
import { StudiesService } from '../studies/studies.service.js';
import { ShareLinksService } from '../sharing/share-links.service.js';
import type {
  Account,
  ExamDetail,
  ExamFile,
  ExamPage,
  ExamSummary,
  IngestionStatus,
  ListExams,
} from './exams.schemas.js';

interface FileCounts {
  examId: string;
  files: number;
  landed: number;
  registered: number;
  rejected: number;
}

interface FileRow {
  uploadId: string;
  name: string;
  size: bigint;
  filled: boolean;
  state: ExamFile['state'];
  rule: string | null;
  message: string | null;
  place: string | null;
}

const withLink = { shareLink: true } as const;
type LinkedExam = Exam & { shareLink: ShareLink | null };

/** Reads of exams; every one is audited by the response hook. */
@Injectable()
export class ExamQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly links: ShareLinksService,
    private readonly studies: StudiesService,
  ) {}

  /** Newest first. `offset` for clients of the vendor's API; `cursor` costs the same on every page. */
  async list(caller: Caller, { limit, cursor, offset, status }: ListExams): Promise<ExamPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.ExamWhereInput[] = [
      accessibleBy(caller, 'exams:list').ofType('Exam'),
      { organizationId, deletedAt: null, ...(status && { status }) },
    ];
    if (cursor) where.push(...olderThan(cursor));
    return this.database.withOrganization(organizationId, async (tx) => {
      const exams = await tx.exam.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        ...(offset && !cursor && { skip: offset }),
        include: withLink,
      });
      const { page, next } = pageOf(exams, limit);
      const counts = await this.countFiles(
        tx,
        organizationId,
        page.map(({ id }) => id),
      );
      return {
        items: page.map((exam) => this.summarize(exam, counts.get(exam.id))),
        ...(next && { next_cursor: next }),
      };
    });
  }

  /** @throws not_found */
  async detail(caller: Caller, id: string): Promise<ExamDetail> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const exam = await tx.exam.findFirst({
        where: {
          AND: [accessibleBy(caller, 'exams:read').ofType('Exam'), { id, organizationId, deletedAt: null }],
        },
        include: withLink,
      });
      if (!exam) throw notFound();
      return this.describe(tx, exam);
    });
  }

  /** The exam as its share page shows it: resolved by the link's exam, never by a study UID. */
  async shared(tx: Transaction, link: ShareLink): Promise<ExamDetail> {
    const { organizationId, examId: id } = link;
    const exam = await tx.exam.findFirst({
      where: { id, organizationId, deletedAt: null },
      include: withLink,
    });
    if (!exam) throw notFound();
    return this.describe(tx, exam);
  }

  async account(caller: Caller): Promise<Account> {
    const { organizationId, kind, id, label } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const { name } = await tx.organization.findUniqueOrThrow({ where: { id: organizationId } });
      const used = await tx.storedObject.aggregate({
        where: { organizationId, purgingAt: null },
        _sum: { size: true },
      });
      return {
        account: { kind, id, name: label },
        organization: { id: organizationId, name },
        scopes: [...caller.scopes],
        storage_used_bytes: Number(used._sum.size ?? 0n),
      };
    });
  }

  private async describe(tx: Transaction, exam: LinkedExam): Promise<ExamDetail> {
    const rows = await this.readFiles(tx, exam);
    const study_uids = await this.studies.uidsOfExam(tx, exam.organizationId, exam.id);
    // Counted over the very rows that are shown: a second query could see a worker's commit that the first did not.
    const { file_count: _, ...summary } = this.summarize(exam, countRows(exam.id, rows));
    return {
      ...summary,
      ...(exam.patientId && { patient_id: exam.patientId }),
      ...(exam.birthDate && { birth_date: exam.birthDate }),
      ...(exam.examType && { exam_type: exam.examType }),
      ...(exam.reason && { reason: exam.reason }),
      files: rows.map(toFile),
      study_uids,
    };
  }

  /** One line a slot: the attempt that filled it, else the newest. */
  private async readFiles(tx: Transaction, { organizationId, id }: Exam): Promise<FileRow[]> {
    return tx.$queryRaw<FileRow[]>`
      SELECT u.id AS "uploadId", s.name, s.size, s.filled_by_id IS NOT NULL AS filled, u.state::text AS state,
             u.rejection_rule AS rule, u.rejection_message AS message, u.rejection_where AS place
      FROM slot s
      CROSS JOIN LATERAL (
        SELECT * FROM upload a WHERE a.organization_id = s.organization_id AND a.slot_id = s.id
        ORDER BY (a.id = s.filled_by_id) DESC NULLS LAST, a.id DESC LIMIT 1) u
      WHERE s.organization_id = ${organizationId}::uuid AND s.exam_id = ${id}::uuid
      ORDER BY s.position`;
  }

  private async countFiles(
    tx: Transaction,
    organizationId: string,
    examIds: string[],
  ): Promise<Map<string, FileCounts>> {
    const rows = await tx.$queryRaw<FileCounts[]>`
      SELECT s.exam_id AS "examId", count(*)::int AS files, count(u.id)::int AS landed,
             count(*) FILTER (WHERE u.state = 'registered')::int AS registered,
             count(*) FILTER (WHERE u.state = 'rejected')::int AS rejected
      FROM slot s
      LEFT JOIN upload u ON u.organization_id = s.organization_id AND u.id = s.filled_by_id
      WHERE s.organization_id = ${organizationId}::uuid AND s.exam_id = ANY (${examIds}::uuid[])
      GROUP BY s.exam_id`;
    return new Map(rows.map((row) => [row.examId, row]));
  }

  private summarize(exam: LinkedExam, counts: FileCounts | undefined): ExamSummary {
    const link = exam.status === 'ready' ? this.links.urls(exam.shareLink) : null;
    const { expiresAt } = exam.shareLink ?? exam; // the link's own end, once there is a link
    return {
      exam_id: exam.id,
      name: exam.name,
      patient_name: exam.patientName,
      status: exam.status,
      ingestion_status: ingestionStatus(counts),
      file_count: counts?.files ?? 0,
      share_url: link?.share_url ?? null,
      viewer_url: link?.viewer_url ?? null,
      created_at: exam.createdAt.toISOString(),
      ...(expiresAt && { expires_at: expiresAt.toISOString() }),
    };
  }
}

function toFile({ uploadId, name, size, state, rule, message, place }: FileRow): ExamFile {
  return {
    upload_id: uploadId,
    name,
    size: Number(size),
    state,
    ...(rule && { rejection: { rule, message: message ?? '', ...(place && { where: place }) } }),
  };
}

function countRows(examId: string, rows: FileRow[]): FileCounts {
  const filled = rows.filter((row) => row.filled);
  const inState = (state: ExamFile['state']) => filled.filter((row) => row.state === state).length;
  return {
    examId,
    files: rows.length,
    landed: filled.length,
    registered: inState('registered'),
    rejected: inState('rejected'),
  };
}

function ingestionStatus(counts: FileCounts | undefined): IngestionStatus {
  if (!counts || counts.landed === 0) return 'pending';
  const { files, registered, rejected } = counts;
  if (registered + rejected < files) return 'processing';
  if (rejected === 0) return 'registered';
  return registered === 0 ? 'failed' : 'partially_registered';
}
