import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createWorld, type World } from '../../support/world.js';

const ORIGIN = 'https://portal.example';
let world: World;
beforeAll(async () => {
  world = await createWorld({ CORS_ORIGINS: ORIGIN });
});
afterAll(() => world.close());

const preflight = (method: string, origin: string) =>
  fetch(`${world.baseUrl}/api/v1/users/me/files`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,cv-api-key,content-type',
    },
  });

it('lets an app in a browser use every method that a route has', async () => {
  for (const method of new Set(world.api.routes.map((route) => route.method))) {
    const { status, headers } = await preflight(method, ORIGIN);
    expect({ method, status }).toEqual({ method, status: 204 });
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(headers.get('access-control-allow-methods')!.split(/, */)).toContain(method);
    expect(headers.get('access-control-allow-headers')).toContain('cv-api-key');
  }
});

it('lets no other origin', async () => {
  expect(
    (await preflight('GET', 'https://elsewhere.example')).headers.get('access-control-allow-origin'),
  ).toBeNull();
});

it('shows the app what was wrong with its request', async () => {
  const answer = await fetch(`${world.baseUrl}/api/v1/users/me/files`, { headers: { origin: ORIGIN } });
  expect(answer.status).toBe(400);
  expect(answer.headers.get('access-control-expose-headers')).toContain('x-validation-error');
});
