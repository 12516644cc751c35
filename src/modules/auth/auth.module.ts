import { Module } from '@nestjs/common';
import './auth.policy.js';
import { AccessTokenSigner } from './access-token.signer.js';
import { AccessTokenVerifier } from './access-token.verifier.js';
import { ApiKeysService } from './api-keys.service.js';
import { ClientAuthenticationService } from './client-authentication.service.js';
import { FailureLimiter } from './failure-limiter.js';
import { KeyRotationService } from './key-rotation.service.js';
import { PortalKeysService } from './portal-keys.service.js';
import { RevocationService } from './revocation.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { TokensService } from './tokens.service.js';

const PROVIDERS = [
  TokensService,
  AccessTokenSigner,
  AccessTokenVerifier,
  ClientAuthenticationService,
  RevocationService,
  KeyRotationService,
  SigningKeysService,
  ApiKeysService,
  PortalKeysService,
  FailureLimiter,
];

@Module({
  providers: PROVIDERS,
  exports: PROVIDERS,
})
export class AuthModule {}
