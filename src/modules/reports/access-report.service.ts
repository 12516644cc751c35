import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { csvLine } from '../../formats/csv/csv.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { toPage } from '../../platform/http/cursor.js';
import { accessOf } from './event.meaning.js';
import { type CsvReport, type Range, ReportSources } from './report.sources.js';
import type { ReportedEvent } from './reported-events.rows.js';
import { ACCESS_NOTES } from './reports.notes.js';
import type { AccessItem, AccessReport, AskAccess } from './reports.schemas.js';

const BEGINNING = new Date(0);
const END = new Date('9999-01-01T00:00:00Z');

const COLUMNS = [
  'time', 'access', 'action', 'outcome', 'actor_kind', 'actor_id', 'actor_label', 'resource_type', 'resource_id', 'ip',
  'share_link', 'event_id',
]; // prettier-ignore

/** Who saw or changed anything of a study, a case or a file. */
@Injectable()
export class AccessReportService {
  constructor(private readonly sources: ReportSources) {}

  /** A page, newest first. @throws not_found, validation_error */
  async page(caller: Caller, asked: AskAccess): Promise<AccessReport> {
    const { thing, completeSince } = await this.sources.find(caller, asked);
    const events = await this.sources.page(thing, rangeOf(asked), asked);
    return {
      type: asked.type,
      id: thing.id,
      ...toPage(events, asked.limit, toItem),
      ...(asked.from && { from: asked.from.toISOString() }),
      ...(asked.to && { to: asked.to.toISOString() }),
      ...(completeSince && { complete_since: completeSince.toISOString() }),
      notes: ACCESS_NOTES,
    };
  }

  /** All of it as CSV, in pieces as they are read. @throws not_found */
  async csv(caller: Caller, asked: AskAccess): Promise<CsvReport> {
    const { thing, completeSince } = await this.sources.find(caller, asked);
    const content = Readable.from(lines(this.sources.all(thing, rangeOf(asked))), { objectMode: false });
    return { content, completeSince };
  }
}

const rangeOf = ({ from = BEGINNING, to = END }: AskAccess): Range => ({ from, to });

async function* lines(events: AsyncIterable<ReportedEvent>): AsyncGenerator<string> {
  yield csvLine(COLUMNS);
  for await (const event of events) {
    const { event_id, time, actor, access, action, outcome, resource, ip, via } = toItem(event);
    yield csvLine([
      time, access, action, outcome, actor.kind, actor.id, actor.label, resource.type, resource.id, ip, via?.share_link,
      event_id,
    ]); // prettier-ignore
  }
}

function toItem(event: ReportedEvent): AccessItem {
  const { id, createdAt, actorKind, actorId, actorLabel, action, outcome, resourceType, resourceId, ip } =
    event;
  return {
    event_id: id,
    time: createdAt.toISOString(),
    actor: {
      kind: actorKind,
      ...(actorId !== null && { id: actorId }),
      ...(actorLabel && { label: actorLabel }),
    },
    access: accessOf(event),
    action,
    outcome,
    resource: { type: resourceType ?? '', ...(resourceId !== null && { id: resourceId }) },
    ...(ip !== null && { ip }),
    ...(actorKind === 'share_link' && actorId !== null && { via: { share_link: actorId } }),
  };
}
