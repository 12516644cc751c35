import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type ExportReport, verifyExport } from '../modules/audit/verification/export-verifier.js';
import { KeySetError, readKeySet } from '../modules/audit/verification/key-set.js';

export const VERIFY_USAGE =
  'usage: scandock audit verify <events file> --keys <jwks.json> [--manifest <file>] [--json]';

const MAX_KEY_SET_BYTES = 1 << 20;

/** What the command was called with is no use. Its message says why. */
class UsageError extends Error {}

/**
 * `scandock audit verify`: checks an export with nothing but public keys: no database, no network, no configuration. Exit
 * code 0 when all is as it was sealed, 1 when it is not, 2 when it could not be looked at.
 */
export async function auditVerify(args: string[]): Promise<void> {
  try {
    const { file, manifest, keys, json } = readOptions(args);
    const report = await verifyExport(
      { events: await reading(file), manifest: await reading(manifest) },
      await keySet(keys),
    );
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
    process.exitCode = report.valid ? 0 : 1;
  } catch (error) {
    const { code, path: at } = error as NodeJS.ErrnoException;
    if (!(error instanceof UsageError) && at === undefined) throw error;
    process.stderr.write(
      `scandock audit verify: ${at === undefined ? (error as Error).message : `${at}: ${code}`}\n`,
    );
    process.exitCode = 2;
  }
}

function readOptions(args: string[]) {
  try {
    const options = {
      keys: { type: 'string' },
      manifest: { type: 'string' },
      json: { type: 'boolean' },
    } as const;
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const [file, ...others] = positionals;
    if (file === undefined || others.length > 0 || values.keys === undefined) throw new UsageError();
    const { dir, name } = path.parse(file);
    const manifest = values.manifest ?? path.join(dir, `${name}.manifest.ndjson`);
    return { file, manifest, keys: values.keys, json: values.json ?? false };
  } catch {
    throw new UsageError(VERIFY_USAGE);
  }
}

/** @throws what the system says, with the path */
async function reading(file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file);
  if ((await handle.stat()).isDirectory()) {
    await handle.close();
    throw new UsageError(`${file}: is a directory`);
  }
  await handle.close();
  return createReadStream(file, { highWaterMark: 1 << 18 });
}

async function keySet(file: string) {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of await reading(file)) {
    parts.push(part);
    if ((length += part.length) > MAX_KEY_SET_BYTES) throw new UsageError(`${file}: it is too long for keys`);
  }
  return readKeySet(Buffer.concat(parts).toString()).catch((error: unknown) => {
    if (error instanceof KeySetError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  });
}

export function describe(report: ExportReport): string {
  const lines = [report.valid ? 'VALID' : 'NOT VALID'];
  const { export: said, first_bad: bad } = report;
  if (bad) {
    const { why, ...place } = bad;
    const where = Object.entries(place).map(([name, value]) => `${NAMES[name] ?? name} ${value}`);
    lines.push(`first bad: ${[...where, why].join(', ')}`);
  }
  if (said) {
    const from = said.from ?? 'the beginning';
    const to = said.to ?? 'the seal it ends with';
    lines.push(
      `export ${said.id} of organization ${said.organization}, ${said.format}`,
      said.complete
        ? `${report.as_sealed ? '' : 'said to be '}complete: all events from ${from} to ${to}`
        : `filtered by ${JSON.stringify(said.filters)}: events from ${from} to ${to}; others may be left out`,
    );
  }
  lines.push(`events: ${report.events}${positions(said)}`, `seals: ${report.seals}`);
  if (report.missing > 0)
    lines.push(
      `gone before they were sealed: ${report.missing}${report.as_sealed ? '; all else is as it was sealed' : ''}`,
    );
  if (report.through !== undefined) lines.push(`sealed through: ${report.through}`);
  if (report.as_sealed) lines.push(...unproven(report));
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** What a stranger's file says must not steer the terminal: no controls, nothing that hides or turns text around. */
const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );

const NAMES: Record<string, string> = { seq: 'position', manifest_line: 'line of the manifest' };

const positions = (said: ExportReport['export']): string =>
  said && said.first !== null ? ` (positions ${said.first} to ${said.last})` : '';

/** What is not said by that all is as it was sealed. */
function unproven({ export: said, left_out: leftOut, through }: ExportReport): string[] {
  const lines = ['not proved:'];
  if (said!.format !== 'ndjson')
    lines.push(
      `  row by row, that ${said!.format} tells what was sealed: the file is the one whose making was signed`,
    );
  if (leftOut > 0)
    lines.push(
      `  that the ${leftOut} other events of the same trees do not belong here: that was signed by who made the export`,
    );
  if (said!.complete && said!.first !== null && said!.first > 1)
    lines.push(`  anything of what stood before position ${said!.first}`);
  lines.push(
    through === undefined
      ? '  anything about seals: the file has none'
      : `  what was sealed after ${through}; and what was cut off after the last head that was taken elsewhere`,
  );
  return lines;
}
