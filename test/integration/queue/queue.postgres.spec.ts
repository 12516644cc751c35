import { queueSuite } from './queue-suite.js';

queueSuite('Postgres', () => Promise.resolve({}));
