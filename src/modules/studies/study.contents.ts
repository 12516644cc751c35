import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** What is in a study, counted by query: one statement each, whatever the number of studies. */

export interface SummaryRow {
  studyId: string;
  submissionId: string;
  generation: number;
  state: 'open' | 'closed' | 'superseded';
  closesAt: Date;
  modalities: string[];
  series: number;
  instances: number;
}

/** The present generation of each study, by study id. */
export async function summarize(
  tx: SqlTransaction,
  organizationId: string,
  studyIds: string[],
): Promise<Map<string, SummaryRow>> {
  const rows = await tx.$queryRaw<SummaryRow[]>`
    SELECT st.id AS "studyId", s.id AS "submissionId", s.generation, s.state::text AS state, s.closes_at AS "closesAt",
           c.modalities, c.series, c.instances
    FROM unnest(${studyIds}::uuid[]) AS st(id)
    JOIN LATERAL (
      SELECT * FROM submission g WHERE g.organization_id = ${organizationId}::uuid AND g.study_id = st.id
      ORDER BY g.generation DESC LIMIT 1) s ON true
    JOIN LATERAL (
      SELECT coalesce(array_agg(DISTINCT se.modality) FILTER (WHERE se.modality IS NOT NULL), '{}') AS modalities,
             count(DISTINCT se.id)::int AS series, count(i.id)::int AS instances
      FROM series se
      JOIN instance i ON i.organization_id = se.organization_id AND i.series_id = se.id AND i.superseded_in IS NULL
      WHERE se.organization_id = ${organizationId}::uuid AND se.study_id = st.id) c ON true`;
  return new Map(rows.map((row) => [row.studyId, row]));
}

/** One generation of one study. */
export interface Generation {
  organizationId: string;
  studyId: string;
  generation: number;
}

/** The series of a generation, in the order of their numbers. */
export async function seriesOf(
  tx: SqlTransaction,
  { organizationId, studyId, generation }: Generation,
): Promise<{ series_uid: string; modality: string | null; instances: number }[]> {
  return tx.$queryRaw`
    SELECT se.series_instance_uid AS series_uid, se.modality, count(*)::int AS instances
    FROM series se
    JOIN instance i ON i.organization_id = se.organization_id AND i.series_id = se.id
    WHERE se.organization_id = ${organizationId}::uuid AND se.study_id = ${studyId}::uuid
      AND i.generation <= ${generation}::int AND (i.superseded_in IS NULL OR i.superseded_in > ${generation}::int)
    GROUP BY se.id ORDER BY se.series_number NULLS LAST, se.series_instance_uid`;
}

/** What one instance says otherwise than its study, by keyword. */
export interface Disagreement {
  sopUid: string;
  values: Record<string, string | null>;
}

const MAX_DISAGREEMENTS = 1000;

export function disagreementsOf(
  tx: SqlTransaction,
  { organizationId, studyId, generation }: Generation,
): Promise<Disagreement[]> {
  return tx.$queryRaw`
    SELECT i.sop_instance_uid AS "sopUid", i.disagreements AS values
    FROM series se
    JOIN instance i ON i.organization_id = se.organization_id AND i.series_id = se.id
    WHERE se.organization_id = ${organizationId}::uuid AND se.study_id = ${studyId}::uuid
      AND i.generation <= ${generation}::int AND (i.superseded_in IS NULL OR i.superseded_in > ${generation}::int)
      AND i.disagreements IS NOT NULL
    ORDER BY i.sop_instance_uid LIMIT ${MAX_DISAGREEMENTS}::int`;
}
