import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { SCOPES } from './platform/authorization/scopes.js';
import type { ConfigValues } from './platform/config/config.schema.js';
import { readRouteTable, type Route } from './platform/http/route-table.js';

const DOCS_CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

type Operations = Record<
  string,
  { operationId?: string; security?: object[]; responses?: object; description?: string }
>;

/** The OpenAPI 3.1 document, made from the routes, their schemas and their operations. */
export function createDocument(app: NestFastifyApplication): OpenAPIObject {
  const scopes = Object.fromEntries(SCOPES.map((scope) => [scope, scope]));
  const frame = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Scandock')
    .setDescription('The front door for medical images and clinical files.')
    .setVersion('1')
    .addOAuth2(
      { type: 'oauth2', flows: { clientCredentials: { tokenUrl: '/oauth2/token', scopes } } },
      'oauth2',
    )
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key, sdk_live_...' }, 'apiKey')
    .addBasicAuth(
      {
        type: 'http',
        scheme: 'basic',
        description: "A client's id and secret, for clients that send nothing else",
      },
      'basic',
    )
    .addApiKey(
      {
        type: 'apiKey',
        in: 'header',
        name: 'cv-api-key',
        description: "A portal's key, sdk_portal_...; the header x-api-key does as well",
      },
      'portalKey',
    )
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "A patient's access token" },
      'userToken',
    )
    .build();
  const document = SwaggerModule.createDocument(app, frame, {
    standardSchemaConverter: (schema, { schemaType }) => {
      const { $schema: _, ...converted } = z.toJSONSchema(schema as z.ZodType, {
        io: schemaType,
        unrepresentable: 'any',
      });
      return { schema: converted as never }; // JSON Schema 2020-12, as OpenAPI 3.1 takes it; the types know 3.0
    },
  });
  const routes = readRouteTable(app.get(DiscoveryService), new MetadataScanner(), app.get(Reflector));
  for (const route of routes) describeRoute(document, route);
  return document;
}

/** `/openapi.json`, and `/docs` to browse it. */
export function serveDocumentation(app: NestFastifyApplication, config: ConfigValues): void {
  let document: OpenAPIObject | undefined;
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  server.addHook('onSend', (request, reply, payload, done) => {
    if (request.url.startsWith('/docs')) reply.header('content-security-policy', DOCS_CSP);
    done(null, payload);
  });
  SwaggerModule.setup(
    'docs',
    app,
    () => (document ??= { ...createDocument(app), servers: [{ url: config.PUBLIC_URL }] }),
    {
      jsonDocumentUrl: 'openapi.json',
      raw: ['json'],
      customSiteTitle: 'Scandock API',
    },
  );
}

function describeRoute(document: OpenAPIObject, route: Route): void {
  const { method, path, operation, public: open } = route;
  const item = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')] as unknown as Operations | undefined;
  const described = item?.[method.toLowerCase()];
  if (!described) return; // a page, not API
  // The doors of patients and of staff end alike.
  const ending = path
    .split('/')
    .slice(path.startsWith('/api/v1/staff/') ? -3 : -2)
    .join('-');
  described.operationId = `${operation.name}-${method.toLowerCase()}-${ending}`.replaceAll(/\W+/g, '-');
  const security = securityOf(route);
  if (security.length > 0) described.security = security;
  if (open) return;
  described.description = `Operation \`${operation.name}\`${operation.scope ? `, scope \`${operation.scope}\`` : ''}.`;
}

/** What a caller has to show: each member is one way to be let in. A route for anybody has none. */
function securityOf({ operation, public: open, basic, portal }: Route): Record<string, string[]>[] {
  if (portal) return [{ portalKey: [], ...(!open && { userToken: [] }) }];
  if (open) return [];
  const scopes = operation.scope ? [operation.scope] : [];
  return [{ oauth2: scopes }, { apiKey: [] }, ...(basic ? [{ basic: [] }] : [])];
}
