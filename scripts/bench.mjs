// `npm run bench [-- row ...]`: the product's figures, each beside its baseline in the same run on the same machine.
import { ensureBuilt, ensureInstalled, root } from './ensure-installed.mjs';
import { readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
ensureInstalled();
ensureBuilt();
const dir = path.join(root, 'test', 'bench');
const wanted = process.argv.slice(2);
const rows = readdirSync(dir)
  .filter((name) => name.endsWith('.bench.mjs'))
  .filter((name) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const machine = `node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}`;
console.log(`${machine}; load of the last minute ${loadavg()[0].toFixed(2)}\n`);
console.log('| what | figure | baseline | ratio |\n|---|---|---|---|');
for (const name of rows.sort()) {
  const { default: bench } = await import(pathToFileURL(path.join(dir, name)).href);
  await bench(({ what, figure, baseline, ratio }) =>
    console.log(`| ${what} | ${figure} | ${baseline} | ${ratio} |`),
  );
}
process.exit(0);
