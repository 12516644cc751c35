import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Api, createApi } from '../../src/api.js';
import { createDocument } from '../../src/documentation.js';
import { type Stack, startStack } from '../support/stack.js';

interface Described {
  operationId: string;
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  requestBody?: { content: Record<string, { schema?: object }> };
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
  parameters?: { in: string; name: string; schema?: object }[];
}

/** Pages, their assets and a redirect: for browsers, not for clients. */
const PAGES = ['/assets/', '/share/', '/viewer/'];
/** What answers with something else than JSON of ours, or with nothing. */
const NO_SCHEMA = [
  'DELETE /api/v1/admin/api-keys/{id}',
  'DELETE /api/v1/admin/bindings/{id}',
  'DELETE /api/v1/admin/clients/{id}/secrets/{secret_id}',
  'DELETE /api/v1/admin/groups/{id}',
  'DELETE /api/v1/admin/groups/{id}/members/{member_id}',
  'DELETE /api/v1/admin/organizations/{id}/deletion',
  'DELETE /api/v1/admin/roles/{id}',
  'DELETE /api/v1/admin/sessions/{id}',
  'DELETE /api/v1/admin/users/{id}/identities/{identity_id}',
  'DELETE /api/v1/exams/{id}',
  'DELETE /api/v1/exams/{id}/share',
  'GET /.well-known/jwks.json',
  'GET /.well-known/oauth-authorization-server',
  'GET /healthz',
  'GET /metrics',
  'GET /readyz',
  'POST /oauth2/revoke',
];

let stack: Stack;
let api: Api;
let document: OpenAPIObject;

beforeAll(async () => {
  stack = await startStack();
  api = await createApi(stack.config);
  document = createDocument(api.app);
});
afterAll(async () => {
  await api.app.close();
  await stack.close();
});

const operations = (): [string, Described][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Described>).map(([method, described]): [string, Described] => [
      `${method.toUpperCase()} ${path}`,
      described,
    ]),
  );

describe('the OpenAPI document', () => {
  it('is a valid one, of version 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate({ ...document });
    expect({ valid, errors, version: validator.version }).toEqual({ valid: true, version: '3.1' });
  });

  it('has every route that is no page, and nothing else', () => {
    const routes = api.routes
      .filter(({ path }) => !PAGES.some((page) => path.startsWith(page)))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual(routes.sort());
  });

  it('says of each what it is, what it takes and what it answers', () => {
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const bare: string[] = [];
    for (const [name, { summary, tags, parameters, requestBody, responses }] of operations()) {
      expect({ name, summary: summary?.length ?? 0, tags: tags?.length }).toEqual({
        name,
        summary: expect.any(Number),
        tags: 1,
      });
      expect(summary!.length).toBeGreaterThan(10);
      for (const parameter of parameters ?? [])
        expect({ name, parameter: parameter.name, schema: parameter.schema }).toMatchObject({
          schema: expect.any(Object),
        });
      for (const media of Object.values(requestBody?.content ?? {})) expect(media.schema).toBeDefined();
      const successes = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      expect({ name, successes: successes.length > 0 }).toEqual({ name, successes: true });
      if (successes.some(([, { content }]) => !Object.values(content ?? {}).some(({ schema }) => schema)))
        bare.push(name);
    }
    expect(bare.sort()).toEqual(NO_SCHEMA);
  });

  it('says of each whom it is for: with which scope, by which credentials', () => {
    expect(document.components?.securitySchemes).toMatchObject({
      oauth2: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: '/oauth2/token' } } },
      apiKey: { type: 'http', scheme: 'bearer' },
      basic: { type: 'http', scheme: 'basic' },
      portalKey: { type: 'apiKey', in: 'header', name: 'cv-api-key' },
      userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    });
    const described = new Map(operations());
    for (const { method, path, operation, public: open, basic, portal } of api.routes) {
      const name = `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`;
      if (!described.has(name)) continue;
      const { security } = described.get(name)!;
      const scopes = operation.scope ? [operation.scope] : [];
      const ways = [{ oauth2: scopes }, { apiKey: [] }, ...(basic ? [{ basic: [] }] : [])];
      const ofPortal = [open ? { portalKey: [] } : { portalKey: [], userToken: [] }];
      const expected = portal ? ofPortal : open ? undefined : ways;
      expect({ name, security }).toEqual({ name, security: expected });
    }
    expect(api.routes.filter(({ portal }) => portal).length).toBeGreaterThanOrEqual(10);
    expect(api.routes.filter(({ basic }) => basic).length).toBeGreaterThan(15);
  });
});
