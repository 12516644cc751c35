import type { ExportFormat } from './export.format.js';

/** A line an event: its canonical form, which the leaf of its seal is the hash of. */
export const ndjson: ExportFormat = {
  opening: '',
  first: '',
  separator: '',
  closing: () => '',
  write: ({ lines }) => lines,
};
