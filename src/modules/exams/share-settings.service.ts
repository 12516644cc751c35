import { Injectable } from '@nestjs/common';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { ShareLinksService } from '../sharing/share-links.service.js';
import { notReady } from './exams.errors.js';
import type { Share, ShareChangeRequest } from './exams.schemas.js';

/** An exam's link: rotated, given an end or a password, revoked. */
@Injectable()
export class ShareSettingsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly links: ShareLinksService,
    private readonly audit: AuditService,
  ) {}

  /** @throws not_found, not_ready */
  async change(caller: Caller, examId: string, request: ShareChangeRequest): Promise<Share> {
    const { rotate, expires_at, password } = request;
    const passwordHash = password ? await this.links.hashPassword(password) : password;
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const exam = await this.find(tx, caller, examId);
      if (exam.status !== 'ready') throw notReady();
      const link = await this.links.change(tx, await this.links.ensure(tx, exam), {
        ...(rotate && { rotate }),
        ...(expires_at !== undefined && { expiresAt: expires_at === null ? null : new Date(expires_at) }),
        ...(passwordHash !== undefined && { passwordHash }),
      });
      const detail = {
        change: rotate ? 'rotated' : 'set',
        password: Boolean(link.passwordHash),
        expires: Boolean(link.expiresAt),
      } as const;
      await this.audit.record(
        tx,
        actedBy<'exams:share'>(caller, {
          action: 'exams:share',
          resource: { type: 'Exam', id: examId },
          detail,
        }),
      );
      return {
        ...(this.links.urls(link) ?? { share_url: null, viewer_url: null }),
        expires_at: link.expiresAt?.toISOString() ?? null,
        password: detail.password,
      };
    });
  }

  /** @throws not_found */
  async revoke(caller: Caller, examId: string): Promise<void> {
    const { organizationId } = caller.principal;
    await this.database.withOrganization(organizationId, async (tx) => {
      await this.find(tx, caller, examId);
      await this.links.revoke(tx, organizationId, examId);
      const detail = { change: 'revoked', password: false, expires: false } as const;
      await this.audit.record(
        tx,
        actedBy<'exams:share'>(caller, {
          action: 'exams:share',
          resource: { type: 'Exam', id: examId },
          detail,
        }),
      );
    });
  }

  private async find(tx: Transaction, caller: Caller, id: string) {
    const { organizationId } = caller.principal;
    await tx.$queryRaw`SELECT 1 FROM exam WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
    const exam = await tx.exam.findFirst({
      where: {
        AND: [accessibleBy(caller, 'exams:share').ofType('Exam'), { id, organizationId, deletedAt: null }],
      },
    });
    if (!exam) throw notFound();
    return exam;
  }
}
