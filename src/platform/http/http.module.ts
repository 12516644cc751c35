import { Global, Module } from '@nestjs/common';
import { IdempotencyService } from './idempotency.js';

@Global()
@Module({ providers: [IdempotencyService], exports: [IdempotencyService] })
export class HttpModule {}
