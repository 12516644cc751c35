import { connect } from 'node:net';

const END_OF_HEADERS = Buffer.from('\r\n\r\n');

/**
 * Sends one request over and over, on `parallel` connections that are kept. Node's own client costs more than the routes
 * it would measure here, on the same machine: this one writes the same bytes and looks for the end of the answer.
 * @returns requests a second, and the 99th percentile of their time in milliseconds
 */
export async function load({ url, headers = {}, parallel, seconds = 3 }) {
  const { hostname, port, pathname, search, host } = new URL(url);
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const send = async (until) => {
    const times = [];
    const begun = performance.now();
    const connection = () => keepAsking({ hostname, port }, request, begun + until * 1000, times);
    await Promise.all(Array.from({ length: parallel }, connection));
    const sorted = Float64Array.from(times).sort();
    return {
      rate: times.length / ((performance.now() - begun) / 1000),
      p99: sorted[Math.floor(sorted.length * 0.99)],
    };
  };
  await send(seconds / 3); // the first ones are slow: nothing is compiled, connections are not open
  return send(seconds);
}

function keepAsking({ hostname, port }, request, until, times) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let answer = Buffer.alloc(0);
    let asked = 0;
    const ask = () => {
      asked = performance.now();
      socket.write(request);
    };
    socket.once('connect', ask).once('error', reject);
    socket.on('data', (piece) => {
      answer = answer.length === 0 ? piece : Buffer.concat([answer, piece]);
      const size = sizeOf(answer);
      if (size === undefined || answer.length < size) return;
      const now = performance.now();
      if (!answer.subarray(0, 12).equals(OK)) {
        socket.destroy();
        return reject(new Error(answer.toString('utf8', 0, 400)));
      }
      times.push(now - asked);
      answer = Buffer.alloc(0);
      if (now < until) return ask();
      socket.destroy();
      resolve();
    });
  });
}

const OK = Buffer.from('HTTP/1.1 200');

/** Bytes of the whole answer, as soon as its headers are there. */
function sizeOf(answer) {
  const end = answer.indexOf(END_OF_HEADERS);
  if (end < 0) return undefined;
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(answer.toString('latin1', 0, end)) ?? [];
  if (length === undefined) throw new Error('an answer without Content-Length');
  return end + END_OF_HEADERS.length + Number(length);
}
