import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { MailSender } from '../../../platform/messages/mail-sender.js';
import { MessageRefusedError } from '../../../platform/messages/message-error.js';
import { JobHandler } from '../../../platform/queue/job-handler.js';
import type { AuditActor } from '../../audit/audit.events.js';
import { AuditService } from '../../audit/audit.service.js';
import { deliverInvitation, type DeliverInvitationPayload } from '../access.jobs.js';
import { findUninvited, settleInvitation } from '../invitation.rows.js';

const SYSTEM: AuditActor = { kind: 'system', id: 'invitation-delivery' };

/** Sends an invitation, once unless a worker dies between the message and its note of it. */
@Injectable()
export class InvitationHandler extends JobHandler<DeliverInvitationPayload> {
  readonly job = deliverInvitation;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly mail: MailSender,
    private readonly clock: Clock,
  ) {
    super();
  }

  /** @throws {MessageFailedError} when it may be tried again */
  async handle(payload: DeliverInvitationPayload): Promise<void> {
    const { organizationId, userId } = payload;
    const unsent = await this.database.withOrganizationSql(organizationId, (tx) =>
      findUninvited(tx, organizationId, userId),
    );
    if (!unsent) return;
    try {
      await this.mail.send({
        id: userId,
        to: unsent.to,
        subject: `${unsent.organization}: your invitation`,
        text: this.wordsOf(organizationId, unsent.organization),
      });
    } catch (error) {
      if (!(error instanceof MessageRefusedError)) throw error;
      // Refused for good. Who invited them finds it in the ledger, and has other ways to reach them.
      return this.settle(payload, error.code);
    }
    await this.settle(payload);
  }

  private wordsOf(organizationId: string, organization: string): string {
    const { PUBLIC_URL } = this.config;
    return `${organization} has invited you to Scandock.

You sign in with this e-mail address, without a password: ask for a one-time code, and it is sent to you here.

Scandock:         ${PUBLIC_URL}
Organization id:  ${organizationId}
For apps:         POST ${PUBLIC_URL}/api/v1/staff/auth/send-code, with the organization id and this address

If you do not know ${organization}, do nothing: nobody can sign in without a code.
`;
  }

  private async settle(
    { organizationId, userId, requestId, traceId }: DeliverInvitationPayload,
    refusal?: string,
  ): Promise<void> {
    await this.database.withOrganizationSql(organizationId, async (tx) => {
      if (!(await settleInvitation(tx, organizationId, userId, this.clock.now()))) return;
      await this.audit.record<'users:deliver-invitation'>(tx, {
        organizationId,
        actor: SYSTEM,
        action: 'users:deliver-invitation',
        outcome: refusal === undefined ? 'success' : 'failure',
        resource: { type: 'User', id: userId },
        origin: { ...(requestId && { requestId }), ...(traceId && { traceId }) },
        detail: { ...(refusal !== undefined && { code: refusal }) },
      });
    });
  }
}
