// `npm start`: everything up to a running product, on a machine that has Node and npm and nothing else.
import { ensureBuilt, ensureInstalled } from './ensure-installed.mjs';

// Node 20 is in use and supported here; the SDK's notice of its end belongs in docs, not on the first screen.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
ensureInstalled();
ensureBuilt();
process.argv[2] = 'start';
await import('../dist/main.js');
