import { METHOD_METADATA, PATH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { RequestMethod } from '@nestjs/common';
import type { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { z } from 'zod';
import { type Operation, operationNamed } from '../authorization/operations.js';
import { BASIC, OPERATION, PORTAL, PUBLIC } from '../authorization/requires.js';

/** What the schemas of a route's query and body declare, by name. */
export interface DeclaredMembers {
  query: ReadonlySet<string>;
  body: ReadonlySet<string>;
}

export interface Route {
  method: string;
  path: string;
  operation: Operation;
  public: boolean;
  /** Takes HTTP Basic besides bearer tokens. */
  basic: boolean;
  /** Needs a portal's key, whether public or not. */
  portal: boolean;
  declares: DeclaredMembers;
}

/**
 * Every route of every controller, with its operation. Throws when one names none: a forgotten `@Requires` fails the
 * boot. The cross-tenant and permission tests are generated from this table.
 */
export function readRouteTable(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  reflector: Reflector,
): Route[] {
  const undecorated: string[] = [];
  const routes: Route[] = [];
  for (const { instance, metatype } of discovery.getControllers()) {
    const base = reflector.get<string | string[] | undefined>(PATH_METADATA, metatype!) ?? '';
    for (const name of scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object)) {
      const handler = (instance as Record<string, () => unknown>)[name]!;
      const paths = reflector.get<string | string[] | undefined>(PATH_METADATA, handler);
      if (paths === undefined) continue; // not a route
      const operation = reflector.get<string | undefined>(OPERATION, handler);
      if (!operation) {
        undecorated.push(`${metatype!.name}.${name}`);
        continue;
      }
      const marked = (key: string): boolean =>
        reflector.getAllAndOverride<boolean | undefined>(key, [handler, metatype!]) ?? false;
      const declares = declaredBy(metatype!, name);
      for (const path of [paths].flat())
        routes.push({
          method: RequestMethod[reflector.get<RequestMethod>(METHOD_METADATA, handler)]!,
          path: pathOf([base].flat()[0]!, path),
          operation: operationNamed(operation),
          public: reflector.get<boolean | undefined>(PUBLIC, handler) ?? false,
          basic: marked(BASIC),
          portal: marked(PORTAL),
          declares,
        });
    }
  }
  if (undecorated.length > 0)
    throw new Error(
      `Routes without @Requires or @Public: ${undecorated.join(', ')}. A route is closed until it says who may use it.`,
    );
  return routes;
}

/** As the server knows it: one slash between the parts, none at the end. */
const pathOf = (base: string, path: string): string =>
  `/${base}/${path}`.replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');

/** Of a handler, by the schemas of its parameters (`@Query({ schema })`, `@Body({ schema })`). */
function declaredBy(controller: object, handler: string): DeclaredMembers {
  const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler) ?? {}) as Record<
    string,
    { schema?: unknown }
  >;
  const membersOf = (kind: RouteParamtypes): Set<string> =>
    new Set(
      Object.entries(parameters)
        .filter(([key]) => key.startsWith(`${kind}:`)) // `<kind>:<index>`
        .flatMap(([, { schema }]) => memberNames(schema)),
    );
  return { query: membersOf(RouteParamtypes.QUERY), body: membersOf(RouteParamtypes.BODY) };
}

function memberNames(schema: unknown): string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return memberNames(schema.unwrap());
  if (schema instanceof z.ZodPipe) return [...memberNames(schema.in), ...memberNames(schema.out)];
  return [];
}
