// `npm test [-- jest arguments]`: the whole suite, against real servers it starts itself.
import { spawnSync } from 'node:child_process';
import { ensureBuilt, ensureInstalled, root } from './ensure-installed.mjs';

ensureInstalled();
ensureBuilt(); // the end-to-end tests run the processes as they are shipped
const jest = [
  '--experimental-vm-modules',
  '--no-warnings',
  'node_modules/jest/bin/jest.js',
  ...process.argv.slice(2),
];
process.exit(spawnSync(process.execPath, jest, { cwd: root, stdio: 'inherit' }).status ?? 1);
