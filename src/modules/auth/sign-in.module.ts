import { Module } from '@nestjs/common';
import { MessagesModule } from '../../platform/messages/messages.module.js';
import { OutboundModule } from '../../platform/outbound/outbound.module.js';
import { AuthModule } from './auth.module.js';
import { CodeLimiter } from './code-limiter.js';
import { CodeSender } from './code-sender.js';
import { CodesService } from './codes.service.js';
import { OidcClient } from './oidc-client.js';
import { OidcFlows } from './oidc-flows.service.js';
import { OidcSignInService } from './oidc-sign-in.service.js';
import { OwnIdentitiesService } from './own-identities.service.js';
import { SessionsService } from './sessions.service.js';
import { SignInService } from './sign-in.service.js';
import { StaffDoors } from './staff-doors.js';

const OIDC = [OidcClient, OidcFlows, OidcSignInService, OwnIdentitiesService];

/** Sign-in of users; apart from AuthModule, which the operator's commands need without queue and messages. */
@Module({
  imports: [AuthModule, MessagesModule, OutboundModule],
  providers: [CodeSender, CodeLimiter, CodesService, SessionsService, SignInService, StaffDoors, ...OIDC],
  exports: [CodeSender, CodesService, SessionsService, SignInService, StaffDoors, ...OIDC],
})
export class SignInModule {}
