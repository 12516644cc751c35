// Compose and workflow files: nothing here runs them, but they can be read.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { root } from '../ensure-installed.mjs';

const isYaml = (file) => /\.ya?ml$/.test(file);
const within = (folder, options) =>
  existsSync(path.join(root, folder))
    ? readdirSync(path.join(root, folder), options).map((file) => path.join(folder, file))
    : [];
const files = [
  ...within('.', {}).filter((file) => isYaml(file)),
  ...within('.github', { recursive: true }).filter((file) => isYaml(file)),
];

for (const file of files) {
  const { errors, warnings } = parseDocument(readFileSync(path.join(root, file), 'utf8'));
  for (const { message } of [...errors, ...warnings]) {
    console.error(`${file}: ${message}`);
    process.exitCode = 1;
  }
}
