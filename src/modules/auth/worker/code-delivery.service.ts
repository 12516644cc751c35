import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { MessageRefusedError } from '../../../platform/messages/message-error.js';
import type { AuditActor } from '../../audit/audit.events.js';
import { AuditService } from '../../audit/audit.service.js';
import type { DeliverCodePayload } from '../auth.jobs.js';
import { findUnsent, settleDelivery } from '../challenge.rows.js';
import { CodeSender } from '../code-sender.js';
import { patientRefOf, type UserKind } from '../door.js';
import { oneTimeCode } from '../one-time-code.js';

const SYSTEM: AuditActor = { kind: 'system', id: 'code-delivery' };

/** Sends the code of a challenge, once unless a worker dies between the message and its note of it. */
@Injectable()
export class CodeDeliveryService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly sender: CodeSender,
    private readonly clock: Clock,
  ) {}

  /** @throws {MessageFailedError} when it may be tried again */
  async deliver(payload: DeliverCodePayload): Promise<void> {
    const { organizationId, challengeId } = payload;
    const unsent = await this.database.withOrganizationSql(organizationId, (tx) =>
      findUnsent(tx, organizationId, challengeId, this.clock.now()),
    );
    // Nobody's, sent, used, over, or no longer the newest: nobody would be helped by it.
    if (!unsent) return;
    const code = oneTimeCode(this.config.SCANDOCK_MASTER_KEY, challengeId);
    const { to, from } = unsent;
    try {
      await this.sender.send({ id: challengeId, to, from, code });
    } catch (error) {
      if (!(error instanceof MessageRefusedError)) throw error;
      // Refused for good. To ask for another code is the user's affair, who may have another address.
      return this.settle(payload, unsent, error.code);
    }
    await this.settle(payload, unsent);
  }

  private async settle(
    { organizationId, challengeId, requestId, traceId }: DeliverCodePayload,
    { to: { channel }, userId, kind }: { to: { channel: string }; userId: string; kind: UserKind },
    refusal?: string,
  ): Promise<void> {
    await this.database.withOrganizationSql(organizationId, async (tx) => {
      if (!(await settleDelivery(tx, organizationId, challengeId, this.clock.now()))) return;
      await this.audit.record<'sign-in:deliver-code'>(tx, {
        organizationId,
        actor: SYSTEM,
        action: 'sign-in:deliver-code',
        outcome: refusal === undefined ? 'success' : 'failure',
        resource: { type: 'Session' },
        ...patientRefOf(kind, userId),
        origin: { ...(requestId && { requestId }), ...(traceId && { traceId }) },
        detail: {
          challenge: challengeId,
          channel,
          ...(kind === 'staff' && { user: userId }),
          ...(refusal !== undefined && { code: refusal }),
        },
      });
    });
  }
}
