import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client, eventually } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { uploadExam } from '../../support/exam.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const DAY = 86_400_000;
const PASSWORD = 'correct horse';
const XSS = `"><script>alert('x')</script><img src=x onerror=alert(1)>&lt;`;

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let client: Client;
let exam: Shared;

interface Shared {
  id: string;
  token: string;
  files: { upload_id: string; name: string; state: string }[];
}

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', RATE_LIMIT_PER_MINUTE: '100000' });
  await world.startWorker();
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  exam = await share({ 'Juan_Perez_CT.dcm': ctInstance(), 'notes.txt': Buffer.from('no DICOM at all') });
});
afterAll(() => world.close());

/** A confirmed exam whose files are settled. */
async function share(
  files: Record<string, Uint8Array> = { 'a.dcm': ctInstance() },
  changes: object = {},
): Promise<Shared> {
  const names = Object.keys(files);
  const created = await client.post<{ exam_id: string; upload_urls: { url: string }[] }>('/api/v1/exams', {
    name: 'CBCT',
    patient_name: 'Juan Pérez',
    files: names.map((name) => ({ name, size: files[name]!.length })),
    ...changes,
  });
  for (const [index, { url }] of created.body.upload_urls.entries())
    await fetch(url, { method: 'PUT', body: files[names[index]!] as Uint8Array<ArrayBuffer> });
  const id = created.body.exam_id;
  const confirmed = await client.post<{ share_url: string }>(`/api/v1/exams/${id}/confirm`);
  const detail = await eventually(
    async () =>
      (await client.get<{ ingestion_status: string; files: Shared['files'] }>(`/api/v1/exams/${id}`)).body,
    ({ ingestion_status }) => !['pending', 'processing'].includes(ingestion_status),
  );
  return { id, token: tokenOf(confirmed.body.share_url), files: detail.files };
}
const tokenOf = (url: string): string => url.split('/').at(-1)!;
/** The token the link has after the change; empty when it leads nowhere. */
const change = async (id: string, body: object): Promise<string> => {
  const answer = await client.post<{ share_url: string | null }>(`/api/v1/exams/${id}/share`, body);
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 200 });
  return tokenOf(answer.body.share_url ?? '');
};

/** At another time; and back, since the bucket's clock stays where it is and refuses URLs of the future. */
async function later(milliseconds: number, work: () => Promise<void>): Promise<void> {
  world.travel(milliseconds);
  try {
    await work();
  } finally {
    world.travel(-milliseconds);
  }
}

interface Page {
  status: number;
  text: string;
  headers: Headers;
}
async function page(path: string, init: RequestInit = {}): Promise<Page> {
  const response = await fetch(world.baseUrl + path, { redirect: 'manual', ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
const open = (token: string, cookie?: string): Promise<Page> =>
  page(`/share/${token}`, cookie === undefined ? {} : { headers: { cookie } });
const unlock = (token: string, password: string): Promise<Page> =>
  page(`/share/${token}`, { method: 'POST', body: new URLSearchParams({ password }) });
const cookieOf = ({ headers }: Page): string => headers.get('set-cookie')!.split(';')[0]!;

/** What a page says, without what differs from one request to the next. */
const said = ({ status, text, headers }: Page): object => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !/^(date|x-request-id|traceparent|ratelimit-)/.test(name)),
});

function expectPageHeaders({ headers }: Page): void {
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  );
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
}

describe('the page', () => {
  it('shows name, patient, states and the way to what is ready', async () => {
    for (const path of [`/share/${exam.token}`, `/viewer/${exam.token}`]) {
      const shown = await page(path);
      expect(shown.status).toBe(200);
      expectPageHeaders(shown);
      expect(shown.text).toContain('<h1>CBCT</h1>');
      expect(shown.text).toContain('Juan Pérez');
      expect(shown.text).toContain('Juan_Perez_CT.dcm');
      expect(shown.text).toContain('>Ready<');
      expect(shown.text).toContain('>Rejected<');
      expect(shown.text).toContain('dicom.not-part10');
      expect(shown.text).toContain('Some files could not be accepted.');
      expect(shown.text).toContain('Not for diagnostic use');
      expect(shown.text).toContain('<meta name="robots" content="noindex, nofollow, noarchive" />');
      const [registered, rejected] = exam.files;
      expect(shown.text).toContain(`href="/share/${exam.token}/files/${registered!.upload_id}"`);
      expect(shown.text).not.toContain(rejected!.upload_id);
    }
  });

  it('holds no script, no inline style and nothing from elsewhere', async () => {
    const { text } = await open(exam.token);
    expect(text).not.toMatch(/<script|<style|\son\w+=|\sstyle=|javascript:/i);
    for (const [, target] of text.matchAll(/(?:href|src|action)="([^"]*)"/g))
      expect(target).toMatch(/^\/[^/]/);
  });

  it('shows names as text, whatever they are', async () => {
    const hostile = await share(
      {
        [`a${XSS.replaceAll('/', '')}.dcm`]: ctInstance(),
        [`b${XSS.replaceAll('/', '')}.txt`]: Buffer.from('x'),
      },
      { name: XSS, patient_name: XSS, exam_type: `"'><b>` },
    );
    const { text, status } = await open(hostile.token);
    expect(status).toBe(200);
    expect(text).not.toMatch(/<script|<img|<b>|onerror=alert\(1\)>(?!&)/i);
    const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;';
    expect(text.split(escaped).length - 1).toBe(3); // title, heading, patient
    expect(text).toContain('&amp;lt;'); // what was written is what is read
    expect(text).toContain('aria-label="Download a&quot;&gt;&lt;script&gt;');
    // Every quote that opens an attribute is ours: the number of tags is that of a harmless exam.
    const harmless = await share({ 'a.dcm': ctInstance(), 'b.txt': Buffer.from('x') }, { exam_type: 'CT' });
    const tags = (markup: string) => markup.match(/<\w+/g)!.length;
    expect(tags(text)).toBe(tags((await open(harmless.token)).text));
  });

  it('does not take what it is asked for into the page', async () => {
    const { text } = await page(
      `/share/${exam.token}?page=${encodeURIComponent(XSS)}&x=${encodeURIComponent(XSS)}`,
    );
    expect(text).not.toContain('<script');
    expect(text).toContain('CBCT');
  });

  it('counts and records each opening with address and browser', async () => {
    const own = await share();
    const { headers } = await page(`/share/${own.token}`, { headers: { 'user-agent': 'Browser/1.0' } });
    await page(`/viewer/${own.token}`);
    const { rows } = await world.admin.query(
      `SELECT l.open_count, l.last_opened_at IS NOT NULL AS opened, e.action, e.outcome, e.actor_kind, e.actor_id = l.id::text AS by_link,
              e.organization_id, e.ip, e.user_agent, e.request_id, e.detail
       FROM share_link l JOIN audit_event e ON e.resource_id = l.id::text WHERE l.exam_id = $1 ORDER BY e.id`,
      [own.id],
    );
    expect(rows).toHaveLength(2);
    expect(rows[0]).toEqual({
      open_count: 2,
      opened: true,
      action: 'shares:open',
      outcome: 'success',
      actor_kind: 'share_link',
      by_link: true,
      organization_id: tenant.organizationId,
      ip: '127.0.0.1',
      user_agent: 'Browser/1.0',
      request_id: headers.get('x-request-id'),
      detail: { exam: own.id },
    });
  });

  it('is kept under the hash of its token alone', async () => {
    const { rows } = await world.admin.query<{ row: string }>('SELECT l::text AS row FROM share_link l');
    for (const { row } of rows) expect(row).not.toContain(exam.token);
  });
});

describe('a link that leads nowhere', () => {
  it('is one and the same page: unknown, revoked, rotated, expired, deleted, disabled', async () => {
    const [revoked, rotated, deleted, expiring] = [
      await share(),
      await share(),
      await share(),
      await share(),
    ];
    const unknown = said(await open('A'.repeat(43)));
    expect(unknown).toMatchObject({ status: 404, text: expect.stringContaining('This link leads nowhere') });
    expectPageHeaders(await open('A'.repeat(43)));

    expect((await client.delete(`/api/v1/exams/${revoked.id}/share`)).status).toBe(204);
    expect(said(await open(revoked.token))).toEqual(unknown);
    const back = await change(revoked.id, {});
    expect(back).not.toBe(revoked.token);
    expect((await open(back)).status).toBe(200);
    expect(said(await open(revoked.token))).toEqual(unknown);

    const fresh = await change(rotated.id, { rotate: true });
    expect(said(await open(rotated.token))).toEqual(unknown);
    expect((await open(fresh)).status).toBe(200);

    await client.delete(`/api/v1/exams/${deleted.id}`);
    expect(said(await open(deleted.token))).toEqual(unknown);

    await change(expiring.id, { expires_at: new Date(Date.now() + 3_600_000).toISOString() });
    expect((await open(expiring.token)).status).toBe(200);
    await change(expiring.id, { expires_at: new Date(Date.now() - 1_000).toISOString() });
    expect(said(await open(expiring.token))).toEqual(unknown);
    await change(expiring.id, { expires_at: null });
    expect((await open(expiring.token)).status).toBe(200);

    for (const token of ['A', 'A'.repeat(44), `${exam.token}=`, `${exam.token.slice(0, 42)}!`, '..'])
      expect((await open(token)).status).toBe(404);

    for (const { token, files } of [revoked, rotated, deleted])
      for (const path of [`/viewer/${token}`, `/share/${token}/files/${files[0]!.upload_id}`])
        expect((await page(path)).status).toBe(404);
    expect((await unlock(revoked.token, PASSWORD)).status).toBe(404);
  });

  it('is what an exam’s own end makes of it', async () => {
    const own = await share(undefined, { expiration_days: 2 });
    await later(2 * DAY - 60_000, async () => expect((await open(own.token)).status).toBe(200));
    await later(2 * DAY + 60_000, async () => {
      expect((await open(own.token)).status).toBe(404);
      expect((await page(`/share/${own.token}/files/${own.files[0]!.upload_id}`)).status).toBe(404);
    });
  });

  it('is not reached by an end that no calendar has', async () => {
    const own = await share();
    for (const expires_at of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '-000001-01-01T00:00:00Z'])
      expect((await client.post(`/api/v1/exams/${own.id}/share`, { expires_at })).status).toBe(400);
  });

  it('is every link of an organization that was disabled', async () => {
    const other = await world.newTenant();
    const own = new Client(world.baseUrl, other.apiKey);
    const made = await uploadExam(own, { 'a.dcm': ctInstance() });
    const { body } = await own.post<{ share_url: string }>(`/api/v1/exams/${made.exam_id}/confirm`);
    expect((await open(tokenOf(body.share_url))).status).toBe(200);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      other.organizationId,
    ]);
    expect((await open(tokenOf(body.share_url))).status).toBe(404);
  });
});

describe('a password', () => {
  it('hides everything until it is given, and is then not asked for again', async () => {
    const own = await share();
    const token = await change(own.id, { password: PASSWORD });
    expect(token).toBe(own.token);
    const asked = await open(token);
    expect(asked.status).toBe(401);
    expectPageHeaders(asked);
    expect(asked.text).toContain('This exam is protected');
    for (const secret of ['CBCT', 'Juan', 'a.dcm', own.files[0]!.upload_id])
      expect(asked.text).not.toContain(secret);

    const wrong = await unlock(token, 'wrong horse');
    expect(wrong.status).toBe(401);
    expectPageHeaders(wrong);
    expect(wrong.text).toContain('That is not the password');
    expect(wrong.headers.get('set-cookie')).toBeNull();

    const right = await unlock(token, PASSWORD);
    expect(right.status).toBe(303);
    expect(right.headers.get('location')).toBe(`/share/${token}`);
    expect(right.headers.get('set-cookie')).toMatch(
      /^share-[0-9a-f-]{36}=\d{13}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600$/,
    );
    const opened = await open(token, cookieOf(right));
    expect(opened.status).toBe(200);
    expect(opened.text).toContain('Juan Pérez');

    const cookie = cookieOf(right);
    await later(3_570_000, async () => expect((await open(token, cookie)).status).toBe(200));
    await later(3_630_000, async () => expect((await open(token, cookie)).status).toBe(401));
  });

  it('guards the files as well, and says in the ledger who tried', async () => {
    const own = await share();
    await change(own.id, { password: PASSWORD });
    const path = `/share/${own.token}/files/${own.files[0]!.upload_id}`;
    const refused = await page(path);
    expect({ status: refused.status, location: refused.headers.get('location') }).toEqual({
      status: 401,
      location: null,
    });
    await open(own.token);
    await unlock(own.token, 'wrong horse');
    const cookie = cookieOf(await unlock(own.token, PASSWORD));
    const given = await page(path, { headers: { cookie } });
    expect(given.headers.get('location')).toContain('X-Amz-Signature');
    const { rows } = await world.admin.query<{ event: string }>(
      `SELECT concat_ws(' ', e.action, e.outcome, e.detail->>'code', host(e.ip::inet)) AS event FROM audit_event e
       JOIN share_link l ON l.exam_id = $1 AND e.actor_id = l.id::text AND e.organization_id = l.organization_id ORDER BY e.id`,
      [own.id],
    );
    expect(rows.map(({ event }) => event)).toEqual([
      'shares:download denied password_required 127.0.0.1',
      'shares:open denied unknown 127.0.0.1',
      'shares:unlock denied unknown 127.0.0.1',
      'shares:unlock success 127.0.0.1',
      'shares:download success 127.0.0.1',
    ]);
  });

  it('once given is good for this link, this version and this password only', async () => {
    const [mine, other] = [await share(), await share()];
    await change(mine.id, { password: PASSWORD });
    await change(other.id, { password: PASSWORD });
    const cookie = cookieOf(await unlock(mine.token, PASSWORD));
    const [name, proof] = cookie.split('=') as [string, string];
    const otherName = cookieOf(await unlock(other.token, PASSWORD)).split('=')[0]!;
    expect((await open(mine.token, cookie)).status).toBe(200);
    expect((await open(other.token, cookie)).status).toBe(401);
    expect((await open(other.token, `${otherName}=${proof}`)).status).toBe(401);

    const [expires, signature] = proof.split('.') as [string, string];
    for (const forged of [
      `${Number(expires) + 1}.${signature}`,
      `9999999999999.${signature}`,
      `${expires}.${'A'.repeat(43)}`,
      `${expires}.`,
      signature,
      `${expires}.${signature}A`,
      '',
    ])
      expect((await open(mine.token, `${name}=${forged}`)).status).toBe(401);

    const rotated = await change(mine.id, { rotate: true });
    expect((await open(rotated, cookie)).status).toBe(401);
    const again = cookieOf(await unlock(rotated, PASSWORD));
    await change(mine.id, { password: 'another horse' });
    expect((await open(rotated, again)).status).toBe(401);
    await change(mine.id, { password: null });
    expect((await open(rotated)).status).toBe(200);
  });

  it('is not guessed: thirty tries a minute, one by one or all at once, then nothing is even tried', async () => {
    const own = await share();
    await change(own.id, { password: PASSWORD });
    const burst = await Promise.all(
      Array.from({ length: 60 }, (_, index) => unlock(own.token, `guess ${index}`)),
    );
    const tried = burst.filter(({ status }) => status === 401).length;
    expect({ tried, rest: burst.filter(({ status }) => status === 429).length }).toEqual({
      tried: 30,
      rest: 30,
    });
    // The right one among the many that are sent at once must not get through either.
    const another = await share();
    await change(another.id, { password: PASSWORD });
    const guesses = [...Array.from({ length: 40 }, (_, index) => `guess ${index}`), PASSWORD];
    const rush = await Promise.all(guesses.map((guess) => unlock(another.token, guess)));
    expect(rush.map(({ status }) => status).filter((status) => status === 303)).toEqual([]);

    const refused = await unlock(own.token, PASSWORD);
    expect(refused.status).toBe(429);
    expectPageHeaders(refused);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('set-cookie')).toBeNull();
    const untouched = await share();
    await change(untouched.id, { password: PASSWORD });
    expect((await unlock(untouched.token, PASSWORD)).status).toBe(303);
  }, 60_000);

  it('that is right costs no try', async () => {
    const own = await share();
    await change(own.id, { password: PASSWORD });
    for (let time = 0; time < 35; time++) expect((await unlock(own.token, PASSWORD)).status).toBe(303);
  });

  it('is kept as argon2id', async () => {
    const { rows } = await world.admin.query<{ hash: string }>(
      'SELECT password_hash AS hash FROM share_link WHERE password_hash IS NOT NULL',
    );
    for (const { hash } of rows) expect(hash).toMatch(/^\$argon2id\$v=19\$m=\d{5,},t=\d+,p=\d+\$/);
  });

  it('sets a __Host- cookie that is Secure behind HTTPS', async () => {
    const own = await share();
    await change(own.id, { password: PASSWORD });
    world.config.PUBLIC_URL = 'https://scandock.example'; // the process's own configuration object
    try {
      const cookie = (await unlock(own.token, PASSWORD)).headers.get('set-cookie')!;
      expect(cookie).toMatch(/^__Host-share-[0-9a-f-]{36}=/);
      expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure$/);
    } finally {
      world.config.PUBLIC_URL = world.baseUrl;
    }
  });
});

describe('a download', () => {
  const location = async (token: string, upload: string): Promise<URL> => {
    const { status, headers } = await page(`/share/${token}/files/${upload}`);
    expect(status).toBe(302);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    return new URL(headers.get('location')!);
  };

  it('is a URL of 900 s that names neither file nor patient', async () => {
    const url = await location(exam.token, exam.files[0]!.upload_id);
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900');
    expect(url.searchParams.get('response-content-disposition')).toBe('attachment; filename="0001.dcm"');
    expect(url.searchParams.get('response-content-type')).toBe('application/octet-stream');
    expect(decodeURIComponent(url.href)).not.toMatch(/Juan|P[ée]rez|CT\.dcm|CBCT/i);
    expect(url.pathname).toMatch(/^\/scandock\/objects\/[0-9a-f-]{36}\/[0-9a-f-]{36}\/\d+$/);
  });

  it('comes as an attachment of a harmless type, by GET only, and of this object only', async () => {
    const url = await location(exam.token, exam.files[0]!.upload_id);
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="0001.dcm"');
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.arrayBuffer()).toString('latin1', 128, 132)).toBe('DICM');
    for (const method of ['PUT', 'DELETE']) expect((await fetch(url, { method })).status).toBe(403);
    const changed = new URL(url);
    changed.searchParams.set('response-content-type', 'text/html');
    expect((await fetch(changed)).status).toBe(403);
    const longer = new URL(url);
    longer.searchParams.set('X-Amz-Expires', '86400');
    expect((await fetch(longer)).status).toBe(403);
  });

  it('of a file that was rejected, is not checked yet, or is of another exam, is none', async () => {
    const other = await share();
    const open = await client.post<{ exam_id: string }>('/api/v1/exams', {
      name: 'n',
      patient_name: 'p',
      files: [{ name: 'a', size: 1 }],
    });
    const waiting = await client.get<{ files: { upload_id: string }[] }>(
      `/api/v1/exams/${open.body.exam_id}`,
    );
    for (const upload of [
      exam.files[1]!.upload_id,
      other.files[0]!.upload_id,
      waiting.body.files[0]!.upload_id,
      exam.id,
    ]) {
      const answer = await page(`/share/${exam.token}/files/${upload}`);
      expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({
        status: 404,
        location: null,
      });
    }
    for (const state of ['landed', 'verified', 'rejected', 'expired', 'deleted']) {
      const own = await share();
      // Past the guards of the table: what is asked is whether the page looks at the state itself.
      await world.admin.query('ALTER TABLE upload DISABLE TRIGGER USER');
      await world.admin.query(
        `UPDATE upload SET state = $2::upload_state, rejection_rule = 'x' WHERE id = $1`,
        [own.files[0]!.upload_id, state],
      );
      await world.admin.query('ALTER TABLE upload ENABLE TRIGGER USER');
      expect((await page(`/share/${own.token}/files/${own.files[0]!.upload_id}`)).status).toBe(404);
    }
  });

  it('is recorded with the upload, and refused without a record', async () => {
    const upload = exam.files[0]!.upload_id;
    await location(exam.token, upload);
    const { rows } = await world.admin.query(
      `SELECT outcome, ip, detail FROM audit_event WHERE action = 'shares:download' AND detail->>'upload' = $1 LIMIT 1`,
      [upload],
    );
    expect(rows).toEqual([{ outcome: 'success', ip: '127.0.0.1', detail: { exam: exam.id, upload } }]);
  });
});

describe('a link grants nothing else', () => {
  it('its token is no credential of the API', async () => {
    for (const authorization of [`Bearer ${exam.token}`, `Bearer sdk_live_${exam.token}`])
      for (const path of ['/api/v1/exams', `/api/v1/exams/${exam.id}`, '/api/v1/me'])
        expect((await page(path, { headers: { authorization } })).status).toBe(401);
  });

  it('a header for a host that is not ours changes no link of the page', async () => {
    const { port } = new URL(world.baseUrl);
    const text = await new Promise<string>((resolve, reject) => {
      request(
        {
          port,
          path: `/share/${exam.token}`,
          headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (part: string) => (body += part));
          response.on('end', () => resolve(body));
        },
      )
        .on('error', reject)
        .end();
    });
    expect(text).toContain('CBCT');
    expect(text).not.toContain('evil.example');
  });
});
