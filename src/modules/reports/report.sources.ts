import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { type Position, decodeCursor } from '../../platform/http/cursor.js';
import { eventsAbout, isKnown, type ReportedEvent, type Wanted } from './reported-events.rows.js';
import { completeSince, retiredMonths } from '../audit/retired.rows.js';
import { studyIdOf } from '../studies/study.mention.js';
import type { Thing, ThingType } from './thing.js';

/** Rows that one query of a stream asks for: what is held in memory of it. */
const STREAMED_ROWS = 1000;

/** How a report names what it is about. */
export interface Named {
  type: ThingType;
  id?: string | undefined;
  study_uid?: string | undefined;
}

/** What of it is wanted. */
export interface Range {
  from: Date;
  to: Date;
  actions?: readonly string[];
}

/** A thing that is known, and since when the ledger tells of it; absent: since it has been there. */
export interface Found {
  thing: Thing;
  completeSince?: Date;
}

/** A report as CSV, in pieces as they are read. What its lines cannot say goes beside them. */
export interface CsvReport {
  content: Readable;
  completeSince?: Date | undefined;
}

/** What both reports are made of. */
@Injectable()
export class ReportSources {
  constructor(private readonly database: DatabaseService) {}

  /** Says in the caller's own event what is reported on. @throws not_found, in the same words for what was never there */
  find(caller: Caller, { type, id, study_uid }: Named): Promise<Found> {
    const { organizationId } = caller.principal;
    return this.database.readOrganization(organizationId, async (tx) => {
      const named = id ?? (await studyIdOf(tx, organizationId, study_uid!));
      if (!named) throw notFound();
      const thing = { organizationId, type, id: named };
      if (!(await isKnown(tx, thing))) throw notFound();
      caller.request.about = aboutThing(thing);
      const begins = completeSince(await retiredMonths(tx, organizationId));
      return { thing, ...(begins && { completeSince: begins }) };
    });
  }

  /** One page, and where the next one begins. */
  async page(
    thing: Thing,
    range: Range,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<ReportedEvent[]> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor);
    return this.read(thing, { ...range, after, limit: limit + 1 });
  }

  /** All of it, newest first. */
  async *all(thing: Thing, range: Range): AsyncGenerator<ReportedEvent> {
    for (let after: Position | undefined; ;) {
      const events = await this.read(thing, { ...range, after, limit: STREAMED_ROWS });
      yield* events;
      after = events.at(-1);
      if (events.length < STREAMED_ROWS) return;
    }
  }

  private read(thing: Thing, wanted: Wanted): Promise<ReportedEvent[]> {
    return this.database.readOrganization(thing.organizationId, (tx) => eventsAbout(tx, thing, wanted));
  }
}

/** What the event of a report is about. A file may be one of three kinds of row: it goes by the name of the report. */
function aboutThing({ type, id }: Thing) {
  const kinds = { study: 'Study', patient: 'User', case: 'PatientCase', file: 'File' };
  return {
    resource: { type: kinds[type], id },
    ...(type === 'study' && { studyRef: id }),
    ...(type === 'patient' && { patientRef: id }),
  };
}
