/** A cell of a table; null and undefined are empty. */
export type CsvCell = string | number | boolean | null | undefined;

/** What a spreadsheet takes for the beginning of a formula, also behind blanks (OWASP, CSV injection). */
const FORMULA = /^\s*[=+\-@\t\r|%]/;

/**
 * The same within a cell. A spreadsheet of a country whose lists have semicolons between them splits the line there, at tabs
 * and at line breaks, and takes our quotes for text: what comes after is a cell of its own. It looks back from signs only, not
 * from every blank: that would take the square of their number.
 */
const INNER_FORMULA = /[=+\-@|%](?<=[;\t\r\n][\s"]*.)/g;

/**
 * One line (RFC 4180) with its end; cells are quoted where they have to be. What a spreadsheet would compute in a text gets
 * an apostrophe in front, so that it is shown as what it is.
 */
export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(written).join(',')}\r\n`;

function written(cell: CsvCell): string {
  const text = cell === null || cell === undefined ? '' : String(cell);
  const shown = typeof cell === 'string' ? harmless(text) : text;
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

const harmless = (text: string): string =>
  `${FORMULA.test(text) ? "'" : ''}${text.replaceAll(INNER_FORMULA, "'$&")}`;
