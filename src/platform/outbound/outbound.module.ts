import { Module } from '@nestjs/common';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { GuardedFetch } from './guarded-fetch.js';

/** Requests to addresses that somebody else chose. */
@Module({
  providers: [
    {
      provide: GuardedFetch,
      useFactory: (config: ConfigValues) => new GuardedFetch(config.OUTBOUND_PRIVATE_HOSTS),
      inject: [CONFIG],
    },
  ],
  exports: [GuardedFetch],
})
export class OutboundModule {}
