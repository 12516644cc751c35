import type { Type } from '@nestjs/common';
import { Controller, RequestMapping, type RequestMethod } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { ExamsHttpModule } from '../../src/modules/exams/http/exams-http.module.js';
import { Requires } from '../../src/platform/authorization/requires.js';

export interface PlantedRoute {
  method: RequestMethod;
  path: string;
  operation: string;
  handle: (...given: never[]) => unknown;
  /** Further decorators of the method, and of its parameters by their positions. */
  decorators?: MethodDecorator[];
  parameters?: ParameterDecorator[];
}

/**
 * A controller for tests of what is in front of every controller. Its decorators are applied by hand: a decorated class
 * of a test file would be compiled with the test's options.
 */
export function controllerOf(routes: PlantedRoute[], decorators: ClassDecorator[] = []): Type<unknown> {
  const planted = class Planted {};
  routes.forEach(({ method, path, operation, handle, parameters = [], ...route }, index) => {
    const name = `route${index}`;
    Object.defineProperty(planted.prototype, name, {
      value: (...given: never[]) => handle(...given),
      configurable: true,
      writable: true,
    });
    const descriptor = Object.getOwnPropertyDescriptor(planted.prototype, name)!;
    for (const decorate of [
      Requires(operation),
      RequestMapping({ method, path }),
      ...(route.decorators ?? []),
    ])
      decorate(planted.prototype, name, descriptor);
    parameters.forEach((decorate, position) => decorate(planted.prototype, name, position));
  });
  for (const decorate of [Controller(), ...decorators]) (decorate as ClassDecorator)(planted);
  return planted;
}

const shipped = () =>
  (Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, ExamsHttpModule) ?? []) as Type<unknown>[];

/** Adds controllers to the next API that is created; returns what takes them out again. */
export function plant(...controllers: Type<unknown>[]): () => void {
  const before = shipped();
  Reflect.defineMetadata(MODULE_METADATA.CONTROLLERS, [...before, ...controllers], ExamsHttpModule);
  return () => Reflect.defineMetadata(MODULE_METADATA.CONTROLLERS, before, ExamsHttpModule);
}
