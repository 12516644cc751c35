import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { csvLine } from '../../formats/csv/csv.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { validationError } from '../../platform/errors/application-error.js';
import { toPage } from '../../platform/http/cursor.js';
import { DISCLOSURES } from './disclosure.kinds.js';
import { type CsvReport, type Range, ReportSources } from './report.sources.js';
import type { ReportedEvent } from './reported-events.rows.js';
import { DISCLOSURE_NOTES } from './reports.notes.js';
import type { AskDisclosures, DisclosureItem, DisclosureReport } from './reports.schemas.js';

/** As far back as an accounting of disclosures goes (45 CFR 164.528(a)(1)). */
const YEARS = 6;

const COLUMNS = [
  'date', 'kind', 'evidence', 'recipient_kind', 'recipient_id', 'recipient_label', 'recipient_ip', 'resource_type',
  'resource_id', 'study', 'patient', 'purpose', 'operation', 'event_id',
]; // prettier-ignore

/** What of a patient, a study, a case or a file may have gone to somebody else. */
@Injectable()
export class DisclosureReportService {
  constructor(
    private readonly sources: ReportSources,
    private readonly clock: Clock,
  ) {}

  /** A page, newest first. @throws not_found, validation_error */
  async page(caller: Caller, asked: AskDisclosures): Promise<DisclosureReport> {
    const range = this.rangeOf(asked);
    const { thing, completeSince } = await this.sources.find(caller, asked);
    const events = await this.sources.page(thing, range, asked);
    return {
      type: asked.type,
      id: thing.id,
      ...toPage(events, asked.limit, toItem),
      from: range.from.toISOString(),
      to: range.to.toISOString(),
      ...(completeSince && { complete_since: completeSince.toISOString() }),
      notes: DISCLOSURE_NOTES,
    };
  }

  /** All of it as CSV, in pieces as they are read. @throws not_found, validation_error */
  async csv(caller: Caller, asked: AskDisclosures): Promise<CsvReport> {
    const range = this.rangeOf(asked);
    const { thing, completeSince } = await this.sources.find(caller, asked);
    const content = Readable.from(lines(this.sources.all(thing, range)), { objectMode: false });
    return { content, completeSince };
  }

  /** A day more than six years is taken, or nobody could ask for six years by the time a request takes. */
  private rangeOf({ from, to }: AskDisclosures): Range & { actions: string[] } {
    const now = this.clock.now();
    const earliest = yearsBefore(now, YEARS);
    const limit = new Date(earliest.getTime() - 24 * 3600 * 1000);
    if (from && from < limit)
      throw validationError([{ path: 'from', message: `must not be earlier than ${YEARS} years ago` }]);
    return { from: from ?? earliest, to: to ?? now, actions: Object.keys(DISCLOSURES) };
  }
}

function yearsBefore(time: Date, years: number): Date {
  const before = new Date(time);
  before.setUTCFullYear(before.getUTCFullYear() - years);
  return before;
}

async function* lines(events: AsyncIterable<ReportedEvent>): AsyncGenerator<string> {
  yield csvLine(COLUMNS);
  for await (const event of events) {
    const { event_id, time, kind, evidence, recipient, what, purpose, operation } = toItem(event);
    yield csvLine([
      time, kind, evidence, recipient.kind, recipient.id, recipient.label, recipient.ip, what.resource.type,
      what.resource.id, what.study, what.patient, purpose, operation, event_id,
    ]); // prettier-ignore
  }
}

function toItem(event: ReportedEvent): DisclosureItem {
  const { id, createdAt, actorKind, actorId, actorLabel, action, resourceType, resourceId, ip } = event;
  return {
    event_id: id,
    time: createdAt.toISOString(),
    ...DISCLOSURES[action]!,
    recipient: {
      kind: actorKind,
      ...(actorId !== null && { id: actorId }),
      ...(actorLabel && { label: actorLabel }),
      ...(ip !== null && { ip }),
    },
    what: {
      resource: { type: resourceType ?? '', ...(resourceId !== null && { id: resourceId }) },
      ...(event.studyRef !== null && { study: event.studyRef }),
      ...(event.patientRef !== null && { patient: event.patientRef }),
    },
    purpose: 'not stated',
    operation: action,
  };
}
