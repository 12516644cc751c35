import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { RequestMethod } from '@nestjs/common';
import type { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { type Operation, operationNamed } from '../authorization/operations.js';
import { BASIC, OPERATION, PORTAL, PUBLIC } from '../authorization/requires.js';

export interface Route {
  method: string;
  path: string;
  operation: Operation;
  public: boolean;
  /** Takes HTTP Basic besides bearer tokens. */
  basic: boolean;
  /** Needs a portal's key, whether public or not. */
  portal: boolean;
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
      for (const path of [paths].flat())
        routes.push({
          method: RequestMethod[reflector.get<RequestMethod>(METHOD_METADATA, handler)]!,
          path: pathOf([base].flat()[0]!, path),
          operation: operationNamed(operation),
          public: reflector.get<boolean | undefined>(PUBLIC, handler) ?? false,
          basic: marked(BASIC),
          portal: marked(PORTAL),
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
