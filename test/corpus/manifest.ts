import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One file of the corpus: its columns by their names. */
export type Row = Readonly<Record<string, string>>;

/** MANIFEST.tsv of a corpus: a row a file, with the verdict of independent programs. */
export function readManifest(folder: string): Row[] {
  const [head, ...lines] = readFileSync(join(folder, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n');
  const names = head!.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
  });
}
