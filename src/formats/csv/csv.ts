/** A cell of a table; null and undefined are empty. */
export type CsvCell = string | number | boolean | null | undefined;

/** What a spreadsheet takes for the beginning of a formula, also behind blanks (OWASP, CSV injection). */
const FORMULA = /^\s*[=+\-@\t\r|%]/;

/**
 * One line (RFC 4180) with its end; cells are quoted where they have to be. A text that a spreadsheet would compute gets an
 * apostrophe in front, so that it is shown as what it is.
 */
export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(written).join(',')}\r\n`;

function written(cell: CsvCell): string {
  const text = cell === null || cell === undefined ? '' : String(cell);
  const shown = typeof cell === 'string' && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}
