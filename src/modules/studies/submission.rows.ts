import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import type { Submission } from './submission.js';

/** The present submission of each study, by study id. */
export async function findSubmissions(
  tx: SqlTransaction,
  organizationId: string,
  studyIds: string[],
): Promise<Map<string, Submission>> {
  const rows = await tx.$queryRaw<(Submission & { studyId: string })[]>`
    SELECT DISTINCT ON (study_id) study_id AS "studyId", generation, opened_at AS "openedAt", last_landed_at AS "lastLandedAt",
           closes_at AS "closesAt"
    FROM submission WHERE organization_id = ${organizationId}::uuid AND study_id = ANY (${studyIds}::uuid[])
    ORDER BY study_id, generation DESC`;
  return new Map(rows.map(({ studyId, ...submission }) => [studyId, submission]));
}

/** Opens the last of each study, or opens it again; the generations before it are superseded. */
export async function openSubmissions(
  tx: SqlTransaction,
  organizationId: string,
  submissions: (Submission & { studyId: string })[],
): Promise<void> {
  if (submissions.length === 0) return;
  const studyIds = submissions.map(({ studyId }) => studyId);
  const generations = submissions.map(({ generation }) => generation);
  await tx.$executeRaw`
    UPDATE submission s SET state = 'superseded'
    FROM unnest(${studyIds}::uuid[], ${generations}::int[]) AS n(study_id, generation)
    WHERE s.organization_id = ${organizationId}::uuid AND s.study_id = n.study_id AND s.generation < n.generation
      AND s.state <> 'superseded'`;
  await tx.$executeRaw`
    INSERT INTO submission (id, organization_id, study_id, generation, state, opened_at, last_landed_at, closes_at)
    SELECT n.id, ${organizationId}::uuid, n.study_id, n.generation,
           CASE WHEN n.generation = max(n.generation) OVER (PARTITION BY n.study_id) THEN 'open' ELSE 'superseded' END::submission_state,
           n.opened_at, n.last_landed_at, n.closes_at
    FROM unnest(${submissions.map(() => newId())}::uuid[], ${studyIds}::uuid[], ${generations}::int[],
                ${submissions.map(({ openedAt }) => openedAt)}::timestamptz[],
                ${submissions.map(({ lastLandedAt }) => lastLandedAt)}::timestamptz[],
                ${submissions.map(({ closesAt }) => closesAt)}::timestamptz[])
         AS n(id, study_id, generation, opened_at, last_landed_at, closes_at)
    ON CONFLICT (organization_id, study_id, generation) DO UPDATE
      SET state = excluded.state, last_landed_at = excluded.last_landed_at, closes_at = excluded.closes_at, closed_at = NULL`;
}

/** Brings forward when these studies' groups close: they wait for no more. Returns how many were open. */
export async function hastenSubmissions(
  tx: SqlTransaction,
  organizationId: string,
  studyIds: string[],
  now: Date,
): Promise<number> {
  return tx.$executeRaw`
    UPDATE submission SET closes_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND study_id = ANY (${studyIds}::uuid[]) AND state = 'open'
      AND closes_at > ${now}::timestamptz`;
}

/** The same for what closed orders brought just now: nobody who closed one waits for the idle minute. */
export async function hastenForClosedOrders(
  tx: SqlTransaction,
  organizationId: string,
  links: { orderId: string; studyId: string }[],
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE submission s SET closes_at = ${now}::timestamptz
    FROM (SELECT DISTINCT l.study_id
          FROM unnest(${links.map(({ orderId }) => orderId)}::uuid[], ${links.map(({ studyId }) => studyId)}::uuid[]) AS l(order_id, study_id)
          JOIN "order" o ON o.organization_id = ${organizationId}::uuid AND o.id = l.order_id AND o.closed_at IS NOT NULL) AS ended
    WHERE s.organization_id = ${organizationId}::uuid AND s.study_id = ended.study_id AND s.state = 'open'
      AND s.closes_at > ${now}::timestamptz`;
}
