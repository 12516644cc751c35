import { Injectable } from '@nestjs/common';
import type { Prisma, Study, Submission } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, pageOf } from '../../platform/http/cursor.js';
import type { Overlay } from '../metadata/overlay.js';
import { OverlaysService } from '../metadata/overlays.service.js';
import { OrdersService } from '../orders/orders.service.js';
import { conflictsOf, examClaims } from './study.conflicts.js';
import { disagreementsOf, seriesOf, summarize, type SummaryRow } from './study.contents.js';
import { studyIdOf } from './study.mention.js';
import type { ListStudies, ReadStudy, StudyDetail, StudyPage } from './studies.schemas.js';

/** Reads of studies; every one is audited by the response hook. Each is told from one snapshot. */
@Injectable()
export class StudyQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly orders: OrdersService,
    private readonly overlays: OverlaysService,
  ) {}

  /** Newest first. */
  list(
    caller: Caller,
    { limit, cursor, study_uid, patient_id, accession_number }: ListStudies,
  ): Promise<StudyPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.StudyWhereInput[] = [
      accessibleBy(caller, 'studies:list').ofType('Study'),
      {
        organizationId,
        ...(study_uid && { studyInstanceUid: study_uid }),
        ...(patient_id && { patientId: patient_id }),
        ...(accession_number && { accessionNumber: accession_number }),
      },
    ];
    if (cursor) where.push(...olderThan(cursor));
    return this.database.readOrganization(organizationId, async (tx) => {
      const studies = await tx.study.findMany({
        where: { AND: where },
        ...newestFirst(limit),
      });
      const { page, next } = pageOf(studies, limit);
      if (study_uid && page[0]) caller.request.about = aboutStudy(page[0]);
      const rows = await summarize(
        tx,
        organizationId,
        page.map(({ id }) => id),
      );
      return {
        items: page.map((study) => toSummary(study, rows.get(study.id)!)),
        ...(next && { next_cursor: next }),
      };
    });
  }

  /** The present generation, or an earlier one. @throws not_found */
  detail(caller: Caller, studyUid: string, { generation }: ReadStudy): Promise<StudyDetail> {
    const { organizationId } = caller.principal;
    return this.database.readOrganization(organizationId, async (tx) => {
      const study = await this.find(tx, caller, studyUid);
      caller.request.about = aboutStudy(study);
      const newest = study.submissions[0];
      const submission = study.submissions.find(
        (each) => each.generation === (generation ?? newest?.generation),
      );
      if (!newest || !submission) throw notFound();
      const orders = await this.orders.ofStudy(tx, caller, 'orders:read', studyUid);
      const order_ids = orders.map(({ id }) => id);
      const overlays = await this.overlays.ofOrders(tx, organizationId, order_ids.slice(0, 1));
      const tags = study.attributes as Overlay;
      const claims = await examClaims(tx, study, accessibleBy(caller, 'exams:read').ofType('Exam'));
      const attributes = this.overlays.effective(overlays.get(order_ids[0] ?? ''), [tags]);
      const at = { organizationId, studyId: study.id, generation: submission.generation };
      return {
        study_uid: studyUid,
        submission: submission.id,
        generation: submission.generation,
        generations: newest.generation,
        ...stateOf(submission),
        series: await seriesOf(tx, at),
        attributes,
        conflicts: conflictsOf(attributes, tags, await disagreementsOf(tx, at), claims),
        orders: order_ids,
      };
    });
  }

  private async find(
    tx: Transaction,
    caller: Caller,
    studyInstanceUid: string,
  ): Promise<Study & { submissions: Submission[] }> {
    const { organizationId } = caller.principal;
    const study = await tx.study.findFirst({
      where: {
        AND: [accessibleBy(caller, 'studies:read').ofType('Study'), { organizationId, studyInstanceUid }],
      },
      include: { submissions: { orderBy: { generation: 'desc' } } },
    });
    if (study) return study;
    // Whoever asks for a study that is not theirs to see is told nothing; the ledger is told which it was.
    const hidden = await studyIdOf(tx, organizationId, studyInstanceUid);
    if (hidden) caller.request.about = aboutStudy({ id: hidden });
    throw notFound();
  }
}

const aboutStudy = ({ id }: Pick<Study, 'id'>) => ({ resource: { type: 'Study', id }, studyRef: id });

const stateOf = ({ state, closesAt }: Pick<Submission, 'state' | 'closesAt'>) => ({
  state,
  ...(state === 'open' && { closes_at: closesAt.toISOString() }),
});

function toSummary(study: Study, row: SummaryRow): StudyPage['items'][number] {
  const { submissionId, generation, modalities, series, instances } = row;
  return {
    study_uid: study.studyInstanceUid,
    submission: submissionId,
    generation,
    ...stateOf(row),
    modalities,
    series,
    instances,
    created_at: study.createdAt.toISOString(),
    updated_at: study.updatedAt.toISOString(),
  };
}
