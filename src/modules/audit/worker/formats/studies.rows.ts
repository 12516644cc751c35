import { isUuid } from '../../../../platform/database/id.js';
import type { SqlTransaction } from '../../../../platform/database/sql-transaction.js';
import type { AuditRecord } from '../../audit.events.js';

/** Ids of the studies that events are about, or acted on. */
export const studiesOf = (events: Iterable<AuditRecord>): string[] => [
  ...new Set(
    [...events].flatMap(({ studyRef, resourceType, resourceId }) =>
      [studyRef, resourceType === 'Study' ? resourceId : null].filter(isUuid),
    ),
  ),
];

/** StudyInstanceUIDs by the ids of the studies' rows; of those that are gone, nothing. The ledger itself has ids only. */
export async function findStudies(
  tx: SqlTransaction,
  organizationId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.$queryRaw<{ id: string; uid: string }[]>`
    SELECT s.id, s.study_instance_uid AS uid FROM study s
    WHERE s.organization_id = ${organizationId}::uuid AND s.id = ANY (${ids}::uuid[])`;
  return new Map(rows.map(({ id, uid }) => [id, uid]));
}
