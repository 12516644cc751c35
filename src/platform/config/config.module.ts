import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { ConfigValues } from './config.schema.js';

/** Injection token of {@link ConfigValues}. */
export const CONFIG = Symbol('CONFIG');

@Global()
@Module({})
export class ConfigModule {
  static with(config: ConfigValues): DynamicModule {
    return { module: ConfigModule, providers: [{ provide: CONFIG, useValue: config }], exports: [CONFIG] };
  }
}
