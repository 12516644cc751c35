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
import type { Route } from '../../src/platform/http/route-table.js';
import { type Stack, startStack } from '../support/stack.js';

/**
 * Who may call what: operation, scope, who writes its event, and which credentials are taken. A new route fails this test
 * until somebody has written down here who it is for.
 */
const ROUTES = [
  'DELETE /api/v1/admin/api-keys/:id                      api-keys:revoke                access:manage  transaction bearer',
  'DELETE /api/v1/admin/bindings/:id                      bindings:delete                access:manage  transaction bearer',
  'DELETE /api/v1/admin/clients/:id/secrets/:secret_id    clients:revoke-secret          access:manage  transaction bearer',
  'DELETE /api/v1/admin/groups/:id                        groups:delete                  access:manage  transaction bearer',
  'DELETE /api/v1/admin/groups/:id/members/:member_id     groups:remove-member           access:manage  transaction bearer',
  'DELETE /api/v1/admin/organizations/:id/deletion        organizations:cancel-deletion  access:manage  transaction bearer',
  'DELETE /api/v1/admin/roles/:id                         roles:delete                   access:manage  transaction bearer',
  'DELETE /api/v1/admin/sessions/:id                      sessions:revoke                access:manage  transaction bearer',
  'DELETE /api/v1/admin/users/:id/identities/:identity_id users:unlink-identity          access:manage  transaction bearer',
  'DELETE /api/v1/exams/:id                               exams:delete                   exams:write    transaction bearer',
  'DELETE /api/v1/exams/:id/share                         exams:share                    exams:write    transaction bearer',
  'DELETE /api/v1/users/me/files/:id                      files:delete                   files:write    transaction portal, bearer',
  'GET    /.well-known/jwks.json                          tokens:metadata                public         never       -',
  'GET    /.well-known/oauth-authorization-server         tokens:metadata                public         never       -',
  'GET    /api/inspect/v1/file/:id                        inspect:read                   files:read     response    bearer',
  'GET    /api/inspect/v1/file/:id/download               inspect:download               files:read     transaction bearer',
  'GET    /api/v1/admin/access/catalogue                  access:catalogue               access:manage  response    bearer',
  'GET    /api/v1/admin/access/rights                     access:rights                  access:manage  response    bearer',
  'GET    /api/v1/admin/api-keys                          api-keys:list                  access:manage  response    bearer',
  'GET    /api/v1/admin/api-keys/:id                      api-keys:read                  access:manage  response    bearer',
  'GET    /api/v1/admin/bindings                          bindings:list                  access:manage  response    bearer',
  'GET    /api/v1/admin/bindings/:id                      bindings:read                  access:manage  response    bearer',
  'GET    /api/v1/admin/cases                             cases:list                     cases:read     response    bearer',
  'GET    /api/v1/admin/cases/:id                         cases:read                     cases:read     response    bearer',
  'GET    /api/v1/admin/cases/:id/attachments             attachments:list               cases:read     response    bearer',
  'GET    /api/v1/admin/clients                           clients:list                   access:manage  response    bearer',
  'GET    /api/v1/admin/clients/:id                       clients:read                   access:manage  response    bearer',
  'GET    /api/v1/admin/documents                         documents:list                 cases:read     response    bearer',
  'GET    /api/v1/admin/files/:id                         case-files:read                cases:read     response    bearer',
  'GET    /api/v1/admin/files/:id/download                case-files:download            cases:read     transaction bearer',
  'GET    /api/v1/admin/groups                            groups:list                    access:manage  response    bearer',
  'GET    /api/v1/admin/groups/:id                        groups:read                    access:manage  response    bearer',
  'GET    /api/v1/admin/groups/:id/members                groups:list-members            access:manage  response    bearer',
  'GET    /api/v1/admin/identity-providers                identity-providers:list        access:manage  response    bearer',
  'GET    /api/v1/admin/identity-providers/:id            identity-providers:read        access:manage  response    bearer',
  'GET    /api/v1/admin/organizations                     organizations:list             access:manage  response    bearer',
  'GET    /api/v1/admin/organizations/:id                 organizations:read             access:manage  response    bearer',
  'GET    /api/v1/admin/organizations/:id/deletion        organizations:read-deletion    access:manage  response    bearer',
  'GET    /api/v1/admin/roles                             roles:list                     access:manage  response    bearer',
  'GET    /api/v1/admin/roles/:id                         roles:read                     access:manage  response    bearer',
  'GET    /api/v1/admin/sessions                          sessions:list                  access:manage  response    bearer',
  'GET    /api/v1/admin/users                             users:list                     access:manage  response    bearer',
  'GET    /api/v1/admin/users/:id                         users:read                     access:manage  response    bearer',
  'GET    /api/v1/admin/users/:id/identities              users:read                     access:manage  response    bearer',
  'GET    /api/v1/audit/events                            audit:list-events              audit:read     response    bearer',
  'GET    /api/v1/audit/events/:id                        audit:read-event               audit:read     response    bearer',
  'GET    /api/v1/audit/exports                           audit:list-exports             audit:export   response    bearer',
  'GET    /api/v1/audit/exports/:id                       audit:read-export              audit:export   response    bearer',
  'GET    /api/v1/audit/holds                             audit:list-holds               audit:export   response    bearer',
  'GET    /api/v1/audit/holds/:id                         audit:read-hold                audit:export   response    bearer',
  'GET    /api/v1/audit/keys                              audit:list-keys                audit:read     response    bearer',
  'GET    /api/v1/audit/seals                             audit:list-seals               audit:read     response    bearer',
  'GET    /api/v1/events                                  events:list                    orders:read    response    bearer',
  'GET    /api/v1/exams                                   exams:list                     exams:read     response    bearer',
  'GET    /api/v1/exams/:id                               exams:read                     exams:read     response    bearer',
  'GET    /api/v1/me                                      account:read                   any            response    bearer',
  'GET    /api/v1/users/me/files                          files:list                     files:read     response    portal, bearer',
  'GET    /api/v1/users/me/files/:id/download             files:download                 files:read     transaction portal, bearer',
  'GET    /api/v1/users/me/files/:id/metadata             files:read                     files:read     response    portal, bearer',
  'GET    /assets/scandock.svg                            shares:assets                  public         never       -',
  'GET    /assets/share.css                               shares:assets                  public         never       -',
  'GET    /auth/token                                     tokens:issue                   public         transaction -',
  'GET    /failure-report                                 orders:read                    orders:read    response    bearer, basic',
  'GET    /healthz                                        system:health                  public         never       -',
  'GET    /metrics                                        system:metrics                 public         never       -',
  'GET    /new-order                                      orders:create                  orders:write   transaction bearer, basic',
  'GET    /orderId                                        orders:read                    orders:read    response    bearer, basic',
  'GET    /orders                                         orders:list                    orders:read    response    bearer, basic',
  'GET    /orders/:id                                     orders:read                    orders:read    response    bearer, basic',
  'GET    /readyz                                         system:health                  public         never       -',
  'GET    /reports                                        results:read                   results:read   response    bearer, basic',
  'GET    /results                                        results:list                   results:read   response    bearer, basic',
  'GET    /share/:token                                   shares:open                    public         transaction -',
  'GET    /share/:token/files/:id                         shares:download                public         transaction -',
  'GET    /status                                         orders:read                    orders:read    response    bearer, basic',
  'GET    /studies                                        studies:list                   studies:read   response    bearer, basic',
  'GET    /studies/:uid                                   studies:read                   studies:read   response    bearer, basic',
  'GET    /test-token                                     tokens:inspect                 any            response    bearer',
  'GET    /upload                                         uploads:issue                  uploads:write  transaction bearer, basic',
  'GET    /uploads/:id                                    uploads:read                   uploads:read   response    bearer, basic',
  'GET    /uploads/:id/download                           uploads:download               uploads:read   transaction bearer, basic',
  'GET    /viewer/:token                                  shares:open                    public         transaction -',
  'PATCH  /add-metadata                                   metadata:write                 metadata:write transaction bearer, basic',
  'PATCH  /api/v1/admin/api-keys/:id                      api-keys:update                access:manage  transaction bearer',
  'PATCH  /api/v1/admin/clients/:id                       clients:update                 access:manage  transaction bearer',
  'PATCH  /api/v1/admin/files/:id                         case-files:classify            cases:write    transaction bearer',
  'PATCH  /api/v1/admin/groups/:id                        groups:update                  access:manage  transaction bearer',
  'PATCH  /api/v1/admin/identity-providers/:id            identity-providers:update      access:manage  transaction bearer',
  'PATCH  /api/v1/admin/organizations/:id                 organizations:update           access:manage  transaction bearer',
  'PATCH  /api/v1/admin/roles/:id                         roles:update                   access:manage  transaction bearer',
  'PATCH  /api/v1/admin/users/:id                         users:update                   access:manage  transaction bearer',
  'PATCH  /api/v1/users/me/files/:id/metadata             files:rename                   files:write    transaction portal, bearer',
  'POST   /api/inspect/v1/file/upload/complete            inspect:complete               files:write    transaction bearer',
  'POST   /api/inspect/v1/file/upload/presigned           inspect:presign                files:write    transaction bearer',
  'POST   /api/v1/admin/access/explain                    access:explain                 access:manage  response    bearer',
  'POST   /api/v1/admin/api-keys                          api-keys:create                access:manage  transaction bearer',
  'POST   /api/v1/admin/api-keys/:id/retire-previous      api-keys:retire-previous       access:manage  transaction bearer',
  'POST   /api/v1/admin/api-keys/:id/rotate               api-keys:rotate                access:manage  transaction bearer',
  'POST   /api/v1/admin/bindings                          bindings:create                access:manage  transaction bearer',
  'POST   /api/v1/admin/cases                             cases:create                   cases:write    transaction bearer',
  'POST   /api/v1/admin/cases/:id/attachments             attachments:create             cases:write    transaction bearer',
  'POST   /api/v1/admin/cases/:id/close                   cases:close                    cases:write    transaction bearer',
  'POST   /api/v1/admin/clients                           clients:create                 access:manage  transaction bearer',
  'POST   /api/v1/admin/clients/:id/disable               clients:disable                access:manage  transaction bearer',
  'POST   /api/v1/admin/clients/:id/enable                clients:enable                 access:manage  transaction bearer',
  'POST   /api/v1/admin/clients/:id/secrets               clients:create-secret          access:manage  transaction bearer',
  'POST   /api/v1/admin/groups                            groups:create                  access:manage  transaction bearer',
  'POST   /api/v1/admin/groups/:id/members                groups:add-member              access:manage  transaction bearer',
  'POST   /api/v1/admin/identity-providers                identity-providers:create      access:manage  transaction bearer',
  'POST   /api/v1/admin/identity-providers/:id/disable    identity-providers:disable     access:manage  transaction bearer',
  'POST   /api/v1/admin/identity-providers/:id/enable     identity-providers:enable      access:manage  transaction bearer',
  'POST   /api/v1/admin/organizations                     organizations:create           access:manage  transaction bearer',
  'POST   /api/v1/admin/organizations/:id/deletion        organizations:request-deletion access:manage  transaction bearer',
  'POST   /api/v1/admin/organizations/:id/disable         organizations:disable          access:manage  transaction bearer',
  'POST   /api/v1/admin/organizations/:id/enable          organizations:enable           access:manage  transaction bearer',
  'POST   /api/v1/admin/organizations/:id/purge           organizations:purge            access:manage  transaction bearer',
  'POST   /api/v1/admin/roles                             roles:create                   access:manage  transaction bearer',
  'POST   /api/v1/admin/users                             users:invite                   access:manage  transaction bearer',
  'POST   /api/v1/admin/users/:id/disable                 users:disable                  access:manage  transaction bearer',
  'POST   /api/v1/admin/users/:id/enable                  users:enable                   access:manage  transaction bearer',
  'POST   /api/v1/admin/users/:id/identities              users:link-identity            access:manage  transaction bearer',
  'POST   /api/v1/admin/users/search                      users:list                     access:manage  response    bearer',
  'POST   /api/v1/audit/exports                           audit:create-export            audit:export   transaction bearer',
  'POST   /api/v1/audit/holds                             audit:place-hold               audit:export   transaction bearer',
  'POST   /api/v1/audit/holds/:id/release                 audit:release-hold             audit:export   transaction bearer',
  'POST   /api/v1/audit/reports/access                    audit:report-access            audit:read     response    bearer',
  'POST   /api/v1/audit/reports/disclosures               audit:report-disclosures       audit:read     response    bearer',
  'POST   /api/v1/audit/verify                            audit:verify                   audit:read     response    bearer',
  'POST   /api/v1/exams                                   exams:create                   exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/confirm                       exams:confirm                  exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/share                         exams:share                    exams:write    transaction bearer',
  'POST   /api/v1/exams/:id/urls                          exams:issue-urls               exams:write    transaction bearer',
  'POST   /api/v1/staff/auth/logout                       sessions:end                   public         transaction -',
  'POST   /api/v1/staff/auth/oidc/finish                  sign-in:finish-oidc            public         transaction -',
  'POST   /api/v1/staff/auth/oidc/link                    sign-in:start-link             any            response    bearer',
  'POST   /api/v1/staff/auth/oidc/link/finish             sign-in:link-identity          any            transaction bearer',
  'POST   /api/v1/staff/auth/oidc/start                   sign-in:start-oidc             public         response    -',
  'POST   /api/v1/staff/auth/refresh                      sessions:refresh               public         transaction -',
  'POST   /api/v1/staff/auth/send-code                    sign-in:send-code              public         transaction -',
  'POST   /api/v1/staff/auth/verify-code                  sign-in:verify-code            public         transaction -',
  'POST   /api/v1/users/auth/logout                       sessions:end                   public         transaction portal',
  'POST   /api/v1/users/auth/refresh-token                sessions:refresh               public         transaction portal',
  'POST   /api/v1/users/auth/send-otp                     sign-in:send-code              public         transaction portal',
  'POST   /api/v1/users/auth/verify-otp                   sign-in:verify-code            public         transaction portal',
  'POST   /api/v1/users/me/files/upload                   files:upload                   files:write    transaction portal, bearer',
  'POST   /auth/token                                     tokens:issue                   public         transaction -',
  'POST   /internal/storage-events                        uploads:notify                 public         transaction -',
  'POST   /new-order                                      orders:create                  orders:write   transaction bearer, basic',
  'POST   /oauth2/introspect                              tokens:introspect              public         transaction -',
  'POST   /oauth2/revoke                                  tokens:revoke                  public         transaction -',
  'POST   /oauth2/token                                   tokens:issue                   public         transaction -',
  'POST   /orders/:id/close                               orders:close                   orders:write   transaction bearer, basic',
  'POST   /reports                                        results:acknowledge            results:read   transaction bearer, basic',
  'POST   /results                                        results:deliver                results:write  transaction bearer, basic',
  'POST   /share/:token                                   shares:unlock                  public         transaction -',
  'POST   /upload                                         uploads:issue                  uploads:write  transaction bearer, basic',
  'POST   /uploads/:id/complete                           uploads:complete               uploads:write  transaction bearer, basic',
];

/** Operations that can be granted and have no route, and why. */
const ROUTELESS: Record<string, string> = {
  'cases:contribute': 'a right that is read when a patient’s file names a case',
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
    const lines = api.routes.map((route) => {
      const { method, path, operation, public: open } = route;
      return (
        `${method.padEnd(6)} ${path.padEnd(47)} ${operation.name.padEnd(30)} ` +
        `${(open ? 'public' : (operation.scope ?? 'any')).padEnd(14)} ${operation.audited.padEnd(11)} ` +
        credentialsOf(route)
      );
    });
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

/** `portal`: the key of a portal; a bearer token besides it must be a patient's. */
function credentialsOf({ public: open, basic, portal }: Route): string {
  const all = [portal && 'portal', !open && 'bearer', basic && 'basic'].filter((each) => each !== false);
  return all.join(', ') || '-';
}

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
