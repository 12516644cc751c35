// Exports that nobody imports and that their own file does not use either: dead code.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { analyzeTsConfig } from 'ts-unused-exports';
import { root } from '../ensure-installed.mjs';

// The tool's own `ignoreLocallyUsed` takes the declaration for a use and finds nothing at all, so uses are counted
// here: an interface that an exported function takes, or a constant that the file needs too, may well be exported.
const usesIn = (source, name) =>
  source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0;

/** src/main.ts loads a command by its file's name; the tool does not see what is taken from such an import. */
const isCommand = (file, name) =>
  file === `src/commands/${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.command.ts`;

/** Not used yet, and why they stay. */
const KEPT = [
  'src/formats/sniff/sniff.ts: SNIFF_BYTES', // half of the contract of sniff(): how much it has to be given
  'src/modules/audit/audit.canonical.ts: canonicalForm', // settled before the first event is written, sealed later
];

const { unusedExports } = analyzeTsConfig(path.join(root, 'tsconfig.json'), ['--ignoreFiles=src/generated']);
const found = Object.entries(unusedExports ?? {}).flatMap(([absolute, exports]) => {
  const file = path.relative(root, absolute).replaceAll('\\', '/');
  const source = readFileSync(absolute, 'utf8');
  return exports.map(({ exportName: name, location }) => ({ file, name, line: location?.line, source }));
});
// The commands are known to be found; a tool that did not find them has looked at nothing.
if (!found.some(({ file, name }) => isCommand(file, name))) {
  console.error('No unused export was found where some are known: the analysis did not work.');
  process.exit(1);
}
const dead = found.filter(
  ({ file, name, source }) =>
    !isCommand(file, name) && usesIn(source, name) < 2 && !KEPT.includes(`${file}: ${name}`),
);
for (const { file, name, line } of dead)
  console.error(`${file}:${line}  ${name} is exported and used nowhere`);
process.exitCode = dead.length > 0 ? 1 : 0;
