/** Finds the StudyInstanceUIDs of studies, by the ids of their rows; of those that are gone, nothing. */
export type FindStudies = (ids: string[]) => Promise<ReadonlyMap<string, string>>;

/** What events are written with, beside themselves. */
export interface FormatContext {
  /** What the application is called in messages of audit. */
  source: string;
  findStudies: FindStudies;
}

/** An event that is to be written. */
export interface WrittenEvent {
  position: number;
  /** Its canonical form, with a line end behind it. */
  line: Buffer;
}

/** How a file of events is written: `opening`, `first`, an event, `separator`, the next one, ..., `closing`. */
export interface ExportFormat {
  readonly opening: string;
  readonly first: string;
  readonly separator: string;
  /** @param empty there were none */
  closing(empty: boolean): string;
  /** Texts of events, in their order. */
  write(events: readonly WrittenEvent[], context: FormatContext): Promise<string[]> | (string | Buffer)[];
}
