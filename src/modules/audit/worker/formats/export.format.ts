import type { EventRun } from '../lines/wanted-events.js';

/** Finds the StudyInstanceUIDs of studies, by the ids of their rows; of those that are gone, nothing. */
export type FindStudies = (ids: string[]) => Promise<ReadonlyMap<string, string>>;

/** What events are written with, beside themselves. */
export interface FormatContext {
  /** What the application is called in messages of audit. */
  source: string;
  findStudies: FindStudies;
}

/** How a file of events is written: `opening`, `first`, an event, `separator`, the next one, ..., `closing`. */
export interface ExportFormat {
  readonly opening: string;
  readonly first: string;
  readonly separator: string;
  /** @param empty there were none */
  closing(empty: boolean): string;
  /** Events in their order, with what separates them. */
  write(events: EventRun, context: FormatContext): Promise<string> | string | Buffer;
}

/** Canonical forms of the events of a run. */
export const formsOf = ({ lines }: EventRun): string[] =>
  lines.toString('utf8', 0, lines.length - 1).split('\n');
