/** Records of a CSV (RFC 4180), whose lines end in CRLF; anything else in it is an error. */
export function parseCsv(text: string): string[][] {
  const records: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  while (field.lastIndex < text.length) {
    const [, quoted, plain, end] = field.exec(text)!;
    records.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === '\r\n' && field.lastIndex < text.length) records.push([]);
  }
  return records;
}
