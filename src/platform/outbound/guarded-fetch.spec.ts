import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GuardedFetch, OutboundRefusedError } from './guarded-fetch.js';

let server: Server;
let answer: RequestListener;
let asked: number;
let port: number;

beforeEach(async () => {
  asked = 0;
  answer = (_request, response) => response.end('hello');
  server = createServer((request, response) => {
    asked++;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Answers for names with one list after the other, the last for ever, and counts the questions. */
function names(...answers: string[][]) {
  const state = { questions: 0 };
  const resolve: ConstructorParameters<typeof GuardedFetch>[1] = (_hostname, _options, done) => {
    const addresses = answers[Math.min(state.questions++, answers.length - 1)]!;
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return Object.assign(state, { resolve });
}

const local = () => new GuardedFetch([`127.0.0.1:${port}`]);
const at = (path = '/') => `http://127.0.0.1:${port}${path}`;
const refused = (reason: string) => ({ name: 'OutboundRefusedError', reason });

describe('a request to a private host that is named', () => {
  it('goes out with its headers and body, and brings what a Response brings', async () => {
    const seen: unknown[] = [];
    answer = (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        const { host, 'x-one': one, 'content-length': length } = request.headers;
        seen.push(request.method, request.url, host, one, length, body);
        response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
        response.end('{"ok":true}');
      });
    };
    const headers = { 'X-One': '1' };
    const response = await local().fetch(at('/path?q=1'), { method: 'POST', headers, body: 'grüße' });
    expect(seen).toEqual(['POST', '/path?q=1', `127.0.0.1:${port}`, '1', '7', 'grüße']);
    expect(response.status).toBe(201);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await response.json()).toEqual({ ok: true });
  });

  it('sends a form as one', async () => {
    answer = (request, response) => void request.pipe(response);
    const response = await local().fetch(at(), { method: 'POST', body: new URLSearchParams({ a: 'ü&' }) });
    expect(await response.text()).toBe('a=%C3%BC%26');
  });

  it('gives back an error, and an answer without a body', async () => {
    answer = (request, response) => void response.writeHead(request.url === '/none' ? 204 : 503).end();
    expect((await local().fetch(at('/none'))).status).toBe(204);
    expect((await local().fetch(at('/away'))).status).toBe(503);
  });

  it('is by name or by name and port; another port is another host', async () => {
    const { resolve } = names(['127.0.0.1']);
    for (const named of ['sms.internal', `sms.internal:${port}`]) {
      const response = await new GuardedFetch([named], resolve).fetch(`http://SMS.internal:${port}/`);
      expect(await response.text()).toBe('hello');
    }
    for (const named of ['sms.internal:1', 'internal', 'sms.internal.example']) {
      const other = new GuardedFetch([named], resolve);
      await expect(other.fetch(`https://sms.internal:${port}/`)).rejects.toMatchObject(refused('address'));
      await expect(other.fetch(`http://sms.internal:${port}/`)).rejects.toMatchObject(refused('protocol'));
    }
    expect(asked).toBe(2);
  });

  it('still does not go to the metadata service, to a multicast group or to nowhere', async () => {
    for (const address of ['169.254.169.254', 'fe80::1', '224.0.0.1', '0.0.0.0', '::ffff:127.0.0.1']) {
      const { resolve } = names([address]);
      const guard = new GuardedFetch(['sms.internal'], resolve);
      await expect(guard.fetch(`http://sms.internal:${port}/`)).rejects.toMatchObject(refused('address'));
    }
    expect(asked).toBe(0);
  });
});

describe('a request to anybody else', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '224.0.0.1',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[fd00::1]',
    '[fe80::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ])('is refused when the URL says %s', async (host) => {
    const dns = names(['8.8.8.8']);
    const guard = new GuardedFetch([], dns.resolve);
    await expect(guard.fetch(`https://${host}:${port}/`)).rejects.toMatchObject(refused('address'));
    expect({ asked, questions: dns.questions }).toEqual({ asked: 0, questions: 0 });
  });

  it.each([
    [['127.0.0.1']],
    [['10.1.2.3']],
    [['::1']],
    [['fd00::1']],
    [['169.254.169.254']],
    [['::ffff:127.0.0.1']],
    [['8.8.8.8', '127.0.0.1']],
    [['127.0.0.1', '8.8.8.8']],
  ])('is refused when its name leads to %j', async (addresses) => {
    const guard = new GuardedFetch([], names(addresses).resolve);
    const request = guard.fetch(`https://rebind.example:${port}/`);
    await expect(request).rejects.toThrow(OutboundRefusedError);
    await expect(request).rejects.toMatchObject(refused('address'));
    expect(asked).toBe(0);
  });

  it('is refused when the real resolver knows the name as this machine', async () => {
    await expect(new GuardedFetch([]).fetch(`https://localhost:${port}/`)).rejects.toMatchObject(
      refused('address'),
    );
    expect(asked).toBe(0);
  });

  it('is refused when a name that was public a moment ago no longer is', async () => {
    const rebinding = names(['8.8.8.8'], ['127.0.0.1']);
    rebinding.resolve!('rebind.example', { all: true }, (_error, [first]) =>
      expect(first!.address).toBe('8.8.8.8'),
    );
    const guard = new GuardedFetch([], rebinding.resolve);
    await expect(guard.fetch(`https://rebind.example:${port}/`)).rejects.toMatchObject(refused('address'));
    expect(asked).toBe(0);
  });

  it('has to be https and without credentials', async () => {
    const guard = new GuardedFetch([]);
    await expect(guard.fetch('http://example.org/')).rejects.toMatchObject(refused('protocol'));
    await expect(guard.fetch('file:///etc/passwd')).rejects.toMatchObject(refused('protocol'));
    await expect(guard.fetch('https://user:secret@example.org/')).rejects.toMatchObject(
      refused('credentials'),
    );
    await expect(guard.fetch('not a url')).rejects.toMatchObject({ code: 'ERR_INVALID_URL' });
  });
});

describe('what is judged', () => {
  it('is what is connected to: the name is asked for once', async () => {
    // Were it asked again for the connection, the second answer would count, and nobody listens there.
    const rebinding = names(['127.0.0.1'], ['127.0.0.2']);
    const guard = new GuardedFetch(['sms.internal'], rebinding.resolve);
    expect(await (await guard.fetch(`http://sms.internal:${port}/`)).text()).toBe('hello');
    expect(rebinding.questions).toBe(1);
  });

  it('is every request, also after one that was allowed', async () => {
    const rebinding = names(['127.0.0.1'], ['169.254.169.254']);
    const guard = new GuardedFetch(['sms.internal'], rebinding.resolve);
    await guard.fetch(`http://sms.internal:${port}/`);
    await expect(guard.fetch(`http://sms.internal:${port}/`)).rejects.toMatchObject(refused('address'));
    expect(asked).toBe(1);
  });
});

describe('an answer', () => {
  it.each([301, 302, 303, 307, 308, 300])('of %d leads nowhere', async (status) => {
    answer = (_request, response) => void response.writeHead(status, { location: at('/inner') }).end();
    await expect(local().fetch(at())).rejects.toMatchObject(refused('redirect'));
    expect(asked).toBe(1);
  });

  it('is read up to the limit and no further', async () => {
    answer = (request, response) => {
      if (request.url === '/declared') response.setHeader('content-length', 1001);
      response.end(Buffer.alloc(request.url === '/fits' ? 1000 : 1001));
    };
    const body = await (await local().fetch(at('/fits'), { maxBytes: 1000 })).arrayBuffer();
    expect(body.byteLength).toBe(1000);
    for (const path of ['/declared', '/chunked'])
      await expect(local().fetch(at(path), { maxBytes: 1000 })).rejects.toMatchObject(refused('size'));
  });

  it('without an end is cut off', async () => {
    const closed = new Promise((resolve) => {
      answer = (_request, response) => {
        const more = () => void response.write(Buffer.alloc(64 * 1024), (error) => error || more());
        response.once('close', resolve);
        more();
      };
    });
    await expect(local().fetch(at())).rejects.toMatchObject(refused('size'));
    await closed;
  });

  it.each([
    ['that never begins', () => undefined],
    ['that drips', ((_request, response) => drip(response)) satisfies RequestListener],
  ])('%s is given up in time', async (_name, listener: RequestListener) => {
    answer = listener;
    const closed = new Promise((resolve) =>
      server.once('connection', (socket) => socket.once('close', resolve)),
    );
    await expect(local().fetch(at(), { timeoutMs: 200 })).rejects.toMatchObject({ name: 'TimeoutError' });
    await closed; // and nobody goes on listening
  });

  it('to the question of a name that never comes is given up too', async () => {
    const guard = new GuardedFetch([], () => undefined);
    await expect(guard.fetch('https://silent.example/', { timeoutMs: 100 })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });

  it('that breaks off is an error of the socket', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('half');
      setImmediate(() => response.destroy());
    };
    await expect(local().fetch(at())).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is not waited for when the caller gives up', async () => {
    answer = () => undefined;
    const giveUp = new AbortController();
    server.once('connection', () => giveUp.abort(new Error('changed my mind')));
    await expect(local().fetch(at(), { signal: giveUp.signal })).rejects.toThrow('changed my mind');
  });
});

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('.'), 20);
  response.once('close', () => clearInterval(timer));
}
