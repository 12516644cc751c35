import { Module } from '@nestjs/common';
import './auth.policy.js';
import { ApiKeysService } from './api-keys.service.js';
import { FailureLimiter } from './failure-limiter.js';
import { SigningKeysService } from './signing-keys.service.js';
import { TokensService } from './tokens.service.js';

@Module({
  providers: [TokensService, SigningKeysService, ApiKeysService, FailureLimiter],
  exports: [TokensService, SigningKeysService, ApiKeysService, FailureLimiter],
})
export class AuthModule {}
