// In a process of its own: what the probe measures is the server, not how busy the test is.
import { Agent, get } from 'node:http';

const [url, everyMs] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const milliseconds = [];
let failures = 0;

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
  process.send({ milliseconds: milliseconds.sort((a, b) => a - b), failures });
  process.disconnect();
});
