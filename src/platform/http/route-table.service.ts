import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { readRouteTable, type Route } from './route-table.js';

/** The routes of this process, for who has to know which operations they perform. */
@Injectable()
export class RouteTable {
  private routes?: Map<string, Route[]>;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  /** The routes that perform an operation; none, where it is a right that is read elsewhere. */
  of(operation: string): Route[] {
    this.routes ??= byOperation(readRouteTable(this.discovery, this.scanner, this.reflector));
    return this.routes.get(operation) ?? [];
  }
}

function byOperation(routes: Route[]): Map<string, Route[]> {
  const found = new Map<string, Route[]>();
  for (const route of routes) {
    const { name } = route.operation;
    found.set(name, [...(found.get(name) ?? []), route]);
  }
  return found;
}
