import { createSecretKey, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decodeJwt, generateKeyPair } from 'jose';
import { ADMIN, Admin } from '../../support/admin.js';
import { type Answer, Client } from '../../support/client.js';
import { CALLBACK, CLIENT_ID, IdentityProvider } from '../../support/identity-provider.js';
import { Portal } from '../../support/portal.js';
import { type SignedInStaff, StaffDoor } from '../../support/staff.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const MINUTE = 60_000;

let provider: IdentityProvider;
let world: World;
let admin: Admin;
let door: StaffDoor;
let providerId: string;

beforeAll(async () => {
  provider = await IdentityProvider.open();
  world = await createWorld({ ...provider.environment, CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  const tenant = await world.newTenant();
  admin = new Admin(world.baseUrl, tenant.apiKey);
  door = new StaffDoor(world, tenant.organizationId);
  providerId = await newProvider(admin);
});
afterEach(() => {
  provider.instead.clear();
  provider.account = randomUUID();
});
afterAll(async () => {
  await world.close();
  await provider.close();
});

const newProvider = async (by: Admin, more: object = {}): Promise<string> =>
  (
    await by.create('/identity-providers', {
      name: 'SSO',
      issuer: provider.issuer,
      client_id: CLIENT_ID,
      client_secret: provider.clientSecret,
      redirect_uris: [CALLBACK],
      ...more,
    })
  ).id;

const told = ({ status, body }: Answer) => ({ status, code: body.code as string | undefined });
const refused = { status: 401, code: 'identity_refused' };
const over = { status: 401, code: 'invalid_flow' };
const away = { status: 503, code: 'provider_unavailable' };

async function started(): Promise<{ authorization_url: string; flow: string }> {
  const answer = await door.startOidc(providerId, CALLBACK);
  expect(answer.status).toBe(200);
  return answer.body;
}

/** Somebody of staff, whose identity an admin has linked. */
async function known(role?: string): Promise<{ userId: string; subject: string }> {
  const [userId, subject] = [await door.newStaff(undefined, role), randomUUID()];
  await admin.create(`/users/${userId}/identities`, { provider_id: providerId, subject });
  provider.account = subject;
  return { userId, subject };
}

async function signIn(): Promise<Answer> {
  const { authorization_url, flow } = await started();
  return door.finishOidc(flow, await provider.browse(authorization_url));
}

/** A sign-in of somebody known whose authorization URL was changed on the way. */
async function changed(parameter: string, value: string): Promise<Answer> {
  await known();
  const { authorization_url, flow } = await started();
  const url = new URL(authorization_url);
  url.searchParams.set(parameter, value);
  return door.finishOidc(flow, await provider.browse(url.href));
}

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

/** What the provider's path answers from now on. */
function flood(path: string): void {
  provider.instead.set(path, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = () => void response.write(' '.repeat(64 * 1024), (error) => error ?? more());
    more();
  });
}

function redirect(path: string): void {
  provider.instead.set(path, (_request, response) => {
    response.writeHead(302, { location: `${provider.issuer}/private` }).end();
  });
}

function answerWith(path: string, body: string, status = 200): void {
  provider.instead.set(path, (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
}

const metadata = (authorization_endpoint: string): string =>
  JSON.stringify({
    issuer: provider.issuer,
    authorization_endpoint,
    token_endpoint: `${provider.issuer}/token`,
    jwks_uri: `${provider.issuer}/jwks`,
  });

describe('a sign-in with an identity provider', () => {
  it('brings the tokens of staff whose identity is linked', async () => {
    const { userId } = await known('reader');
    const { authorization_url, flow } = await started();
    expect(Object.fromEntries(new URL(authorization_url).searchParams)).toEqual({
      response_type: 'code',
      client_id: CLIENT_ID,
      redirect_uri: CALLBACK,
      scope: 'openid',
      state: expect.stringMatching(/^.{43}$/),
      nonce: expect.stringMatching(/^.{43}$/),
      code_challenge: expect.stringMatching(/^.{43}$/),
      code_challenge_method: 'S256',
    });
    const answer = await door.finishOidc(flow, await provider.browse(authorization_url));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^ey/),
      refresh_token: expect.stringMatching(/^sdr_/),
      expires_in: 900,
      token_type: 'Bearer',
    });
    const claims = decodeJwt(answer.body.access_token);
    expect(claims).toMatchObject({ sub: userId, client_id: 'staff', org: door.organizationId });
    const { rows } = await world.admin.query('SELECT id, provider_id FROM user_session WHERE user_id = $1', [
      userId,
    ]);
    expect(rows).toEqual([{ id: claims.sid, provider_id: providerId }]);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        organization_id: door.organizationId,
        action: 'sign-in:finish-oidc',
        outcome: 'success',
        actor_id: userId,
        patient_ref: null,
        detail: { provider: providerId, jti: claims.jti, lifetime: 900 },
      }),
    ]);
    const me = new Client(world.baseUrl, answer.body.access_token);
    expect((await me.get('/api/v1/exams')).status).toBe(200);
    expect((await door.refresh(answer.body.refresh_token)).status).toBe(200);
  });

  it('asks for the metadata once, however many begin', async () => {
    await started();
    provider.asked.length = 0;
    await Promise.all(Array.from({ length: 5 }, started));
    expect(provider.asked).toEqual([]);
  });

  it('is not for an identity that is linked to nobody, and takes no e-mail address for one', async () => {
    const email = door.newAddress();
    await door.newStaff(email);
    provider.account = email;
    const answer = await signIn();
    expect(told(answer)).toEqual({ status: 403, code: 'identity_unknown' });
    expect(answer.text).not.toContain(email);
    const [event] = await eventsOf(answer);
    expect(event).toMatchObject({
      organization_id: door.organizationId,
      outcome: 'denied',
      actor_kind: 'anonymous',
    });
    expect(JSON.stringify(event)).not.toContain(email);
  });

  it('is not for who was disabled, in the words for strangers', async () => {
    const { userId } = await known();
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [userId]);
    expect(told(await signIn())).toEqual({ status: 403, code: 'identity_unknown' });
  });

  it('of an organization that closed meanwhile is not finished', async () => {
    const tenant = await world.newTenant();
    const [closing, own] = [
      new StaffDoor(world, tenant.organizationId),
      new Admin(world.baseUrl, tenant.apiKey),
    ];
    const theirs = await newProvider(own);
    const { body } = await closing.startOidc(theirs, CALLBACK);
    const back = await provider.browse(body.authorization_url);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      tenant.organizationId,
    ]);
    expect(told(await closing.finishOidc(body.flow, back))).toEqual(over);
    expect(told(await closing.startOidc(theirs, CALLBACK))).toEqual({ status: 404, code: 'not_found' });
  });
});

describe('what comes back', () => {
  it.each([
    ['state', 'another'],
    ['nonce', 'another'],
    ['code_challenge', 'Yw'.padEnd(43, 'A')],
  ])('is refused when its %s is another', async (parameter, value) => {
    expect(told(await changed(parameter, value))).toEqual(refused);
  });

  it.each<[string, (url: URL) => void]>([
    ['another iss', (url) => url.searchParams.set('iss', 'https://evil.example')],
    ['no iss', (url) => url.searchParams.delete('iss')],
    ['no state', (url) => url.searchParams.delete('state')],
    ['two states', (url) => url.searchParams.append('state', 'x')],
    ['no code', (url) => url.searchParams.delete('code')],
    ['another code', (url) => url.searchParams.set('code', 'x'.repeat(43))],
  ])('is refused with %s', async (_, spoil) => {
    await known();
    const { authorization_url, flow } = await started();
    const back = new URL(await provider.browse(authorization_url));
    spoil(back);
    expect(told(await door.finishOidc(flow, back.href))).toEqual(refused);
  });

  it('is refused when the person does not want to', async () => {
    provider.account = undefined;
    const answer = await signIn();
    expect(told(answer)).toEqual(refused);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        organization_id: door.organizationId,
        action: 'sign-in:finish-oidc',
        outcome: 'denied',
        detail: { status: 401, code: 'identity_refused' },
      }),
    ]);
  });

  it('is refused with a code that was used, whichever flow it is shown with', async () => {
    await known();
    const [first, second] = [await started(), await started()];
    const back = new URL(await provider.browse(first.authorization_url));
    expect((await door.finishOidc(first.flow, back.href)).status).toBe(200);
    expect(told(await door.finishOidc(second.flow, back.href))).toEqual(refused); // its state is another
    const own = new URL(await provider.browse((await started()).authorization_url));
    own.searchParams.set('code', back.searchParams.get('code')!);
    const third = await started();
    own.searchParams.set('state', new URL(third.authorization_url).searchParams.get('state')!);
    expect(told(await door.finishOidc(third.flow, own.href))).toEqual(refused);
  });

  it('is refused at another address than the one that was agreed', async () => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    const elsewhere = await door.finishOidc(flow, back.replace('/signed-in', '/other'));
    expect(told(elsewhere)).toEqual({ status: 400, code: 'validation_error' });
    expect((await door.finishOidc(flow, back)).status).toBe(200); // and that used nothing up
  });
});

describe('an ID token', () => {
  const forged = async (claims: object, as?: Parameters<IdentityProvider['forge']>[1]) => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    const nonce = new URL(authorization_url).searchParams.get('nonce')!;
    provider.forge({ nonce, ...claims }, as);
    return told(await door.finishOidc(flow, back));
  };

  it('is taken when all of it is right', async () => {
    expect((await forged({})).status).toBe(200);
  });

  it.each<[string, object]>([
    ['for another client', { aud: 'another' }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['that is over', { exp: Math.floor(Date.now() / 1000) - 3600 }],
    ['with another nonce', { nonce: 'another' }],
    ['without a nonce', { nonce: undefined }],
    ['of nobody', { sub: undefined }],
  ])('is refused: %s', async (_, claims) => {
    expect(await forged(claims)).toEqual(refused);
  });

  it('is refused when another key has signed it', async () => {
    const { privateKey: key } = await generateKeyPair('RS256');
    expect(await forged({}, { key })).toEqual(refused);
  });

  it('is refused when the client secret has signed it', async () => {
    const key = createSecretKey(Buffer.from(provider.clientSecret));
    expect(await forged({}, { key, alg: 'HS256' })).toEqual(refused);
  });
});

describe('a flow', () => {
  it('is good once, also when it is shown ten times at the same moment', async () => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    const answers = await Promise.all(Array.from({ length: 10 }, () => door.finishOidc(flow, back)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expect(told(answer)).toEqual(over);
  });

  it('is spent by a try that failed, too', async () => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    expect(told(await door.finishOidc(flow, back.replace('state=', 'state=x')))).toEqual(refused);
    expect(told(await door.finishOidc(flow, back))).toEqual(over);
  });

  it('of another organization is none, though both have the provider', async () => {
    const tenant = await world.newTenant();
    const other = new StaffDoor(world, tenant.organizationId);
    const theirs = await newProvider(new Admin(world.baseUrl, tenant.apiKey));
    const { subject } = await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    expect(told(await other.finishOidc(flow, back))).toEqual(over);
    // Nor is an identity known there that is known here.
    provider.account = subject;
    const { body } = await other.startOidc(theirs, CALLBACK);
    const answer = await other.finishOidc(body.flow, await provider.browse(body.authorization_url));
    expect(told(answer)).toEqual({ status: 403, code: 'identity_unknown' });
  });

  it.each(['', 'x', 'AAAA'.repeat(40)])('that we did not seal is none: %j', async (flow) => {
    const answer = await door.finishOidc(flow || '!', `${CALLBACK}?code=x&state=x`);
    expect(told(answer)).toEqual(over);
  });

  it('holds nothing that can be read', async () => {
    const { authorization_url, flow } = await started();
    const read = Buffer.from(flow, 'base64url').toString('latin1');
    for (const name of ['state', 'nonce'])
      expect(read).not.toContain(new URL(authorization_url).searchParams.get(name));
    expect(read).not.toContain(providerId);
  });

  it('is good for ten minutes', async () => {
    await known();
    const [early, late] = [await started(), await started()];
    const backs = [
      await provider.browse(early.authorization_url),
      await provider.browse(late.authorization_url),
    ];
    world.travel(10 * MINUTE - 5_000);
    expect((await door.finishOidc(early.flow, backs[0]!)).status).toBe(200);
    world.travel(6_000);
    expect(told(await door.finishOidc(late.flow, backs[1]!))).toEqual(over);
    world.travel(-10 * MINUTE - 1_000);
  });

  it('ends with the redirect URI it was begun for', async () => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    const path = `/identity-providers/${providerId}`;
    await admin.change(path, { redirect_uris: ['https://app.example/other'] });
    expect(told(await door.finishOidc(flow, back))).toEqual(over);
    await admin.change(path, { redirect_uris: [CALLBACK] });
  });
});

describe('a start', () => {
  it('takes only the redirect URIs the provider is set up with, to the letter', async () => {
    for (const uri of [`${CALLBACK}/`, `${CALLBACK}?x`, 'https://evil.example/', CALLBACK.toUpperCase()])
      expect(told(await door.startOidc(providerId, uri))).toEqual({ status: 400, code: 'validation_error' });
  });

  it('says the same of no provider, of another’s, of a disabled one, and of no organization', async () => {
    const tenant = await world.newTenant();
    const theirs = await newProvider(new Admin(world.baseUrl, tenant.apiKey));
    const answers = [
      await door.startOidc(randomUUID(), CALLBACK),
      await door.startOidc(theirs, CALLBACK),
      await new StaffDoor(world, randomUUID()).startOidc(providerId, CALLBACK),
    ];
    await admin.post(`${ADMIN}/identity-providers/${providerId}/disable`);
    answers.push(await door.startOidc(providerId, CALLBACK));
    await admin.post(`${ADMIN}/identity-providers/${providerId}/enable`);
    for (const answer of answers) expect(told(answer)).toEqual({ status: 404, code: 'not_found' });
    expect(new Set(answers.map(({ body }) => body.detail))).toHaveProperty('size', 1);
  });
});

describe('a provider', () => {
  it('that is disabled ends the sessions that began with it within a second, and no flow of it is finished', async () => {
    await known();
    const { body } = await signIn();
    const session = new Client(world.baseUrl, body.access_token);
    expect((await session.get('/test-token')).status).not.toBe(401);
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    await admin.post(`${ADMIN}/identity-providers/${providerId}/disable`);
    expect((await session.get('/test-token')).status).toBe(401);
    expect(told(await door.refresh(body.refresh_token))).toEqual({ status: 401, code: 'invalid_grant' });
    expect(told(await door.finishOidc(flow, back))).toEqual(over);
    await admin.post(`${ADMIN}/identity-providers/${providerId}/enable`);
    expect((await door.refresh(body.refresh_token)).status).toBe(401); // what ended stays so
  });

  it.each<[string, string, () => void]>([
    ['a body without an end', '/token', () => flood('/token')],
    ['a redirect to a private address', '/token', () => redirect('/token')],
    ['no JSON', '/token', () => answerWith('/token', '<p>down</p>')],
    ['its hanging up', '/token', () => provider.instead.set('/token', (request) => request.destroy())],
    ['a refusal of our secret', '/token', () => answerWith('/token', '{"error":"invalid_client"}', 401)],
  ])('cannot be used with %s', async (_, path, spoil) => {
    await known();
    const { authorization_url, flow } = await started();
    const back = await provider.browse(authorization_url);
    provider.asked.length = 0;
    spoil();
    expect(told(await door.finishOidc(flow, back))).toEqual(away);
    expect(provider.asked).toEqual([`POST ${path}`]); // and nobody was asked besides
  });

  it.each<[string, (path: string) => void]>([
    ['has no end', flood],
    ['is elsewhere', redirect],
    ['is another issuer’s', (path) => answerWith(path, JSON.stringify({ issuer: 'https://evil.example' }))],
    ['sends browsers to a script', (path) => answerWith(path, metadata('javascript:alert(1)'))],
    ['sends browsers where there is no TLS', (path) => answerWith(path, metadata('http://app.example/auth'))],
    ['is none', (path) => answerWith(path, 'null')],
  ])('cannot be used when its metadata %s', async (_, spoil) => {
    const tenant = await world.newTenant();
    const theirs = await newProvider(new Admin(world.baseUrl, tenant.apiKey));
    spoil('/.well-known/openid-configuration');
    const answer = await new StaffDoor(world, tenant.organizationId).startOidc(theirs, CALLBACK);
    expect(told(answer)).toEqual(away);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.text).not.toContain('127.0.0.1');
  });

  it('at a private address that is not allowed is never asked', async () => {
    const tenant = await world.newTenant();
    const own = new Admin(world.baseUrl, tenant.apiKey);
    const at = new StaffDoor(world, tenant.organizationId);
    for (const issuer of [
      'http://127.0.0.1:9',
      'https://10.0.0.1',
      'https://169.254.169.254',
      'https://localhost',
    ]) {
      const theirs = await newProvider(own, { issuer });
      expect(told(await at.startOidc(theirs, CALLBACK))).toEqual(away);
    }
  });
});

describe('linking one’s own identity', () => {
  const link = async (staff: SignedInStaff): Promise<Answer> => {
    const { body } = await staff.startLink(providerId, CALLBACK);
    return staff.finishLink(body.flow, await provider.browse(body.authorization_url));
  };

  it('makes it the way in of who came in by a code', async () => {
    const staff = await door.signIn('reader');
    const subject = provider.account!;
    const answer = await link(staff);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(String),
      provider_id: providerId,
      created_at: expect.any(String),
    });
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        action: 'sign-in:link-identity',
        outcome: 'success',
        actor_id: staff.userId,
        detail: { identity: answer.body.id, provider: providerId },
      }),
    ]);
    const again = await signIn();
    expect(decodeJwt(again.body.access_token).sub).toBe(staff.userId);
    const other = await door.signIn('reader');
    provider.account = subject;
    expect(told(await link(other))).toEqual({ status: 409, code: 'already_exists' });
  });

  it('is for staff: no patient, client or key has an account', async () => {
    const portal = await Portal.open(world, door.organizationId);
    const patient = await portal.signIn();
    for (const by of [patient, admin]) {
      const body = { provider_id: providerId, redirect_uri: CALLBACK };
      expect(told(await by.post('/api/v1/staff/auth/oidc/link', body))).toEqual({
        status: 403,
        code: 'forbidden',
      });
    }
    expect((await door.post('/api/v1/staff/auth/oidc/link', {})).status).toBe(401);
    const theirs = await newProvider(new Admin(world.baseUrl, (await world.newTenant()).apiKey));
    const staff = await door.signIn('reader');
    for (const id of [theirs, randomUUID()])
      expect(told(await staff.startLink(id, CALLBACK))).toEqual({ status: 404, code: 'not_found' });
  });

  it('takes the flow of who began it only, and no sign-in takes one of linking, nor the other way round', async () => {
    const [staff, other] = [await door.signIn('reader'), await door.signIn('reader')];
    const { body: linking } = await staff.startLink(providerId, CALLBACK);
    const back = await provider.browse(linking.authorization_url);
    expect(told(await other.finishLink(linking.flow, back))).toEqual(over);
    expect(told(await door.finishOidc(linking.flow, back))).toEqual(over);
    const signingIn = await started();
    const there = await provider.browse(signingIn.authorization_url);
    expect(told(await staff.finishLink(signingIn.flow, there))).toEqual(over);
    expect((await staff.finishLink(linking.flow, back)).status).toBe(201);
  });
});

it('failures count by the address of the network', async () => {
  const strict = await createWorld({ ...provider.environment, CREDENTIAL_FAILURES_PER_MINUTE: '3' });
  try {
    const at = new StaffDoor(strict, (await strict.newTenant()).organizationId);
    const statuses: number[] = [];
    for (let turn = 0; turn < 5; turn++)
      statuses.push((await at.finishOidc('x', `${CALLBACK}?code=x`)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
  } finally {
    await strict.close();
  }
});
