import { Module } from '@nestjs/common';
import { AuthModule } from '../auth.module.js';
import { AccessTokenStrategy } from './access-token.strategy.js';
import { SignInModule } from '../sign-in.module.js';
import { OauthController } from './oauth.controller.js';
import { OidcController } from './oidc.controller.js';
import { RevocationController } from './revocation.controller.js';
import { SignInController } from './sign-in.controller.js';
import { StaffSignInController } from './staff-sign-in.controller.js';

@Module({
  imports: [AuthModule, SignInModule],
  controllers: [
    OauthController,
    RevocationController,
    SignInController,
    StaffSignInController,
    OidcController,
  ],
  providers: [AccessTokenStrategy],
  exports: [AuthModule],
})
export class AuthHttpModule {}
