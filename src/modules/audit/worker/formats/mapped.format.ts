import type { AuditRecord } from '../../audit.events.js';
import { recordOf } from '../../canonical.record.js';
import type { CodingContext } from '../../event.participants.js';
import type { EventRun } from '../lines/wanted-events.js';
import { type FormatContext, formsOf } from './export.format.js';
import { studiesOf } from './studies.rows.js';

/** Events in the words of a standard, with the StudyInstanceUIDs of the studies they name. */
export async function mapped(
  events: EventRun,
  { source, findStudies }: FormatContext,
  map: (event: AuditRecord, context: CodingContext) => string,
): Promise<string[]> {
  const records = formsOf(events).map(recordOf);
  const studyUids = await findStudies(studiesOf(records));
  return records.map((record, index) => map(record, { source, studyUids, position: events.first + index }));
}
