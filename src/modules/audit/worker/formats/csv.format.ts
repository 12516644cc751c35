import { csvLine } from '../../../../formats/csv/csv.js';
import { canonicalJson } from '../../audit.canonical.js';
import { recordOf } from '../../canonical.record.js';
import { type ExportFormat, formsOf } from './export.format.js';

const COLUMNS = [
  'position',
  'id',
  'time',
  'organization',
  'actor_kind',
  'actor_id',
  'actor_label',
  'action',
  'outcome',
  'resource_type',
  'resource_id',
  'patient',
  'study',
  'request',
  'trace',
  'ip',
  'agent',
  'scopes',
  'detail',
];

/**
 * RFC 4180 with a header line, in UTF-8. An absent value is an empty field, scopes have blanks between them, the detail is
 * JSON. A text that a spreadsheet would take for a formula has an apostrophe before it (OWASP, "CSV Injection"): whoever
 * needs the events to the letter takes NDJSON.
 */
export const csv: ExportFormat = {
  opening: csvLine(COLUMNS),
  first: '',
  separator: '',
  closing: () => '',
  write: (events) =>
    formsOf(events)
      .map((form, index) => lineOf(events.first + index, form))
      .join(''),
};

function lineOf(position: number, form: string): string {
  const event = recordOf(form);
  return csvLine([
    position,
    event.id,
    event.occurredAt.toISOString(),
    event.organizationId,
    event.actorKind,
    event.actorId,
    event.actorLabel,
    event.action,
    event.outcome,
    event.resourceType,
    event.resourceId,
    event.patientRef,
    event.studyRef,
    event.requestId,
    event.traceId,
    event.ip,
    event.userAgent,
    event.scopes.join(' '),
    canonicalJson(event.detail),
  ]);
}
