// `npm start`: everything up to a running product, on a machine that has Node and npm and nothing else.
import { ensureBuilt, ensureInstalled } from './ensure-installed.mjs';

ensureInstalled();
ensureBuilt();
process.argv[2] = 'start';
await import('../dist/main.js');
