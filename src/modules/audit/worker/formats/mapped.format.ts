import type { AuditRecord } from '../../audit.events.js';
import { recordOf } from '../../canonical.record.js';
import type { CodingContext } from '../../event.participants.js';
import type { FormatContext, WrittenEvent } from './export.format.js';
import { studiesOf } from './studies.rows.js';

/** Events in the words of a standard, with the StudyInstanceUIDs of the studies they name. */
export async function mapped(
  events: readonly WrittenEvent[],
  { source, findStudies }: FormatContext,
  map: (event: AuditRecord, context: CodingContext) => string,
): Promise<string[]> {
  const records = events.map(({ line }) => recordOf(line.toString()));
  const studyUids = await findStudies(studiesOf(records));
  return records.map((record, index) =>
    map(record, { source, studyUids, position: events[index]!.position }),
  );
}
