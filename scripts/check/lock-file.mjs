// What `npm ci` would refuse on another machine, without asking a registry.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../ensure-installed.mjs';

const read = (name) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));
const manifest = read('package.json');
const { lockfileVersion, packages } = read('package-lock.json');
const problems = [];

if (lockfileVersion !== 3) problems.push(`package-lock.json has version ${lockfileVersion}, not 3`);
for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
  const [asked, locked] = [manifest[kind] ?? {}, packages[''][kind] ?? {}];
  for (const name of new Set([...Object.keys(asked), ...Object.keys(locked)])) {
    if (asked[name] !== locked[name])
      problems.push(
        `${kind}: ${name} is ${asked[name] ?? 'absent'} in package.json, ${locked[name] ?? 'absent'} in the lock`,
      );
    else if (!packages[`node_modules/${name}`]) problems.push(`${kind}: ${name} is not in the lock`);
  }
}
for (const [name, entry] of Object.entries(packages)) {
  if (name === '' || entry.link) continue;
  // Whoever installs has a registry of their own; the integrity says that it is the same package.
  if (/^https?:/.test(entry.resolved ?? ''))
    problems.push(`${name} names a download address: ${entry.resolved}`);
  if (!entry.integrity && !entry.inBundle) problems.push(`${name} has no integrity`);
}
if (Object.keys(packages).length < 100) problems.push('package-lock.json lists hardly any package');

for (const problem of problems) console.error(problem);
if (problems.length > 0)
  console.error('npm install --package-lock-only brings package-lock.json up to date.');
process.exitCode = problems.length > 0 ? 1 : 0;
