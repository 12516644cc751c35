// In a process of its own: what the probe measures is the server, not how busy the test is.
import { Agent, get } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

const [url, everyMs] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const milliseconds = [];
let failures = 0;
/** How late the machine lets this process run, which has nothing else to do. */
const wake = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
wake.enable();

const timer = setInterval(() => {
  const begun = performance.now();
  get(url, { agent }, (response) => {
    response.resume().once('end', () => {
      milliseconds.push(performance.now() - begun);
      if (response.statusCode !== 200) failures++;
    });
  }).once('error', () => failures++);
}, Number(everyMs));

process.once('message', () => {
  clearInterval(timer);
  agent.destroy();
  const late = wake.percentile(95) / 1e6 - RESOLUTION_MS;
  process.send({ milliseconds: milliseconds.sort((a, b) => a - b), failures, late });
  process.disconnect();
});
