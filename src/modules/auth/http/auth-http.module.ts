import { Module } from '@nestjs/common';
import { AuthModule } from '../auth.module.js';
import { AccessTokenStrategy } from './access-token.strategy.js';
import { OauthController } from './oauth.controller.js';

@Module({
  imports: [AuthModule],
  controllers: [OauthController],
  providers: [AccessTokenStrategy],
  exports: [AuthModule],
})
export class AuthHttpModule {}
