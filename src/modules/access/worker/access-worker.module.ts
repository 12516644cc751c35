import { Module } from '@nestjs/common';
import { MessagesModule } from '../../../platform/messages/messages.module.js';
import { InvitationHandler } from './invitation.handler.js';
import { UnsentInvitations } from './unsent-invitations.js';

@Module({
  imports: [MessagesModule],
  providers: [InvitationHandler, UnsentInvitations],
  exports: [InvitationHandler, UnsentInvitations],
})
export class AccessWorkerModule {}
