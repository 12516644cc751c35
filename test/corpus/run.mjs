// `npm run test:corpus`: the readers' verdicts on the files of a corpus, in the folder SCANDOCK_CORPUS names.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/ensure-installed.mjs';

const folder = process.env.SCANDOCK_CORPUS;
if (!folder || !existsSync(path.join(folder, 'MANIFEST.tsv'))) {
  console.error(
    folder
      ? `There is no MANIFEST.tsv in ${folder}.`
      : 'Say where the corpus is: SCANDOCK_CORPUS=<folder with a MANIFEST.tsv> npm run test:corpus',
  );
  process.exit(2);
}
const { status } = spawnSync(
  process.execPath,
  [
    path.join(root, 'scripts', 'test.mjs'),
    '--selectProjects',
    'servers',
    '--testPathPatterns',
    'test/corpus',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { ...process.env, SCANDOCK_CORPUS: path.resolve(folder) } },
);
process.exit(status ?? 1);
