import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Controller, Get } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { type Api, createApi } from '../../src/api.js';
import { ExamsHttpModule } from '../../src/modules/exams/http/exams-http.module.js';
import { allOperations } from '../../src/platform/authorization/operations.js';
import { Requires } from '../../src/platform/authorization/requires.js';
import { SCOPES } from '../../src/platform/authorization/scopes.js';
import { type Stack, startStack } from '../support/stack.js';

/**
 * Who may call what: operation, scope, who writes its event, and which credentials are taken. A new route fails this test
 * until somebody has written down here who it is for.
 */
const ROUTES = [
  'DELETE /api/v1/exams/:id                         exams:delete          exams:write    transaction bearer',
  'DELETE /api/v1/exams/:id/share                   exams:share           exams:write    transaction bearer',
  'GET    /.well-known/jwks.json                    tokens:metadata       public         never       -',
  'GET    /.well-known/oauth-authorization-server   tokens:metadata       public         never       -',
  'GET    /api/v1/events                            events:list           orders:read    response    bearer',
  'GET    /api/v1/exams                             exams:list            exams:read     response    bearer',
  'GET    /api/v1/exams/:id                         exams:read            exams:read     response    bearer',
  'GET    /api/v1/me                                account:read          any            response    bearer',
  'GET    /assets/scandock.svg                      shares:assets         public         never       -',
  'GET    /assets/share.css                         shares:assets         public         never       -',
  'GET    /auth/token                               tokens:issue          public         transaction -',
  'GET    /failure-report                           orders:read           orders:read    response    bearer, basic',
  'GET    /healthz                                  system:health         public         never       -',
  'GET    /metrics                                  system:metrics        public         never       -',
  'GET    /new-order                                orders:create         orders:write   transaction bearer, basic',
  'GET    /orderId                                  orders:read           orders:read    response    bearer, basic',
  'GET    /orders                                   orders:list           orders:read    response    bearer, basic',
  'GET    /orders/:id                               orders:read           orders:read    response    bearer, basic',
  'GET    /readyz                                   system:health         public         never       -',
  'GET    /reports                                  results:read          results:read   response    bearer, basic',
  'GET    /results                                  results:list          results:read   response    bearer, basic',
  'GET    /share/:token                             shares:open           public         transaction -',
  'GET    /share/:token/files/:id                   shares:download       public         transaction -',
  'GET    /status                                   orders:read           orders:read    response    bearer, basic',
  'GET    /studies                                  studies:list          studies:read   response    bearer, basic',
  'GET    /studies/:uid                             studies:read          studies:read   response    bearer, basic',
  'GET    /test-token                               tokens:inspect        any            response    bearer',
  'GET    /upload                                   uploads:issue         uploads:write  transaction bearer, basic',
  'GET    /uploads/:id                              uploads:read          uploads:read   response    bearer, basic',
  'GET    /uploads/:id/download                     uploads:download      uploads:read   transaction bearer, basic',
  'GET    /viewer/:token                            shares:open           public         transaction -',
  'PATCH  /add-metadata                             metadata:write        metadata:write transaction bearer, basic',
  'POST   /api/v1/exams                             exams:create          exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/confirm                 exams:confirm         exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/share                   exams:share           exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/urls                    exams:issue-urls      exams:write    transaction bearer',
  'POST   /auth/token                               tokens:issue          public         transaction -',
  'POST   /internal/storage-events                  uploads:notify        public         transaction -',
  'POST   /new-order                                orders:create         orders:write   transaction bearer, basic',
  'POST   /oauth2/token                             tokens:issue          public         transaction -',
  'POST   /orders/:id/close                         orders:close          orders:write   transaction bearer, basic',
  'POST   /reports                                  results:acknowledge   results:read   transaction bearer, basic',
  'POST   /results                                  results:deliver       results:write  transaction bearer, basic',
  'POST   /share/:token                             shares:unlock         public         transaction -',
  'POST   /upload                                   uploads:issue         uploads:write  transaction bearer, basic',
  'POST   /uploads/:id/complete                     uploads:complete      uploads:write  transaction bearer, basic',
];

/** Operations that can be granted and have no route, and why. */
const ROUTELESS: Record<string, string> = {
  'system:documentation': 'the document and its pages are served beside the routes',
  'uploads:replace': 'a right that is read when a URL is issued, and used when its bytes are registered',
};

let stack: Stack;
let api: Api;
const created: NestFastifyApplication[] = [];

beforeAll(async () => {
  stack = await startStack();
  const create = NestFactory.create.bind(NestFactory) as (...given: unknown[]) => Promise<unknown>;
  // A boot that fails hands nothing back; what it began must be closed all the same.
  jest.spyOn(NestFactory, 'create').mockImplementation((async (...given: unknown[]) => {
    const app = (await create(...given)) as NestFastifyApplication;
    created.push(app);
    return app;
  }) as never);
  api = await createApi(stack.config);
});
afterEach(() => unplant());
afterAll(async () => {
  jest.restoreAllMocks();
  for (const app of created) await app.close();
  await stack.close();
});

const controllers = () =>
  Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, ExamsHttpModule) as Type<unknown>[];
const shipped = controllers();
function plant(controller: Type<unknown>): void {
  Reflect.defineMetadata(MODULE_METADATA.CONTROLLERS, [...shipped, controller], ExamsHttpModule);
}
function unplant(): void {
  Reflect.defineMetadata(MODULE_METADATA.CONTROLLERS, shipped, ExamsHttpModule);
}

describe('the route table', () => {
  it('lists every route with its operation, its scope, who writes its event, and what is taken as a credential', () => {
    const lines = api.routes.map(
      ({ method, path, operation, public: open, basic }) =>
        `${method.padEnd(6)} ${path.padEnd(41)} ${operation.name.padEnd(21)} ` +
        `${(open ? 'public' : (operation.scope ?? 'any')).padEnd(14)} ${operation.audited.padEnd(11)} ` +
        (basic ? 'bearer, basic' : open ? '-' : 'bearer'),
    );
    expect(lines.sort()).toEqual(ROUTES);
  });

  it('holds every route the server answers', () => {
    const server = api.app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
    const served = flatten(server.printRoutes({ commonPrefix: false }));
    const listed = new Set(api.routes.map(({ method, path }) => `${method} ${path}`));
    expect(served.sort()).toEqual([...listed].sort());
  });

  it('names only scopes there are, and no scope on an open route', () => {
    for (const { path, operation, public: open } of api.routes) {
      if (operation.scope) expect(SCOPES).toContain(operation.scope);
      expect({ path, scope: open ? operation.scope : undefined }).toEqual({ path });
    }
  });

  it('leaves no operation that could be granted without a route that performs it', () => {
    const used = new Set(api.routes.map(({ operation }) => operation.name));
    expect(
      allOperations()
        .map(({ name }) => name)
        .filter((name) => !used.has(name))
        .sort(),
    ).toEqual(Object.keys(ROUTELESS).sort());
  });
});

describe('the boot', () => {
  it('fails on a route that says neither @Requires nor @Public', async () => {
    class Forgotten {
      read(): string {
        return 'everything';
      }
    }
    route(Forgotten, 'read', 'forgotten');
    plant(Forgotten);
    await expect(createApi(stack.config)).rejects.toThrow(/without @Requires or @Public: Forgotten\.read/);
  });

  it('fails on an operation that no policy defines', async () => {
    class Invented {
      read(): string {
        return 'everything';
      }
    }
    Requires('exams:invent')(
      Invented.prototype,
      'read',
      Object.getOwnPropertyDescriptor(Invented.prototype, 'read')!,
    );
    route(Invented, 'read', 'invented');
    plant(Invented);
    await expect(createApi(stack.config)).rejects.toThrow('No policy defines the operation exams:invent');
  });

  it('succeeds without them', async () => {
    await expect(createApi(stack.config)).resolves.toMatchObject({ routes: { length: ROUTES.length } });
  });
});

/** The decorators, applied by hand: a decorated class of this file would be compiled with this file's options. */
function route(controller: Type<unknown>, method: string, path: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, method)!;
  Get(path)(controller.prototype as object, method, descriptor);
  Controller()(controller);
}

/** Fastify's tree of routes as a list. */
function flatten(tree: string): string[] {
  const routes: string[] = [];
  const parents: string[] = [];
  for (const line of tree.split('\n')) {
    const [, indent, segment, methods] = /^([│ ]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    if (indent === undefined) continue;
    const depth = indent.length / 4;
    parents[depth] = (depth > 0 ? parents[depth - 1]! : '') + segment!;
    for (const method of methods?.split(', ') ?? []) routes.push(`${method} ${parents[depth]}`);
  }
  return routes;
}
