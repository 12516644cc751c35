import { Injectable } from '@nestjs/common';
import type { ShareLink } from '../../generated/prisma/client.js';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { AuditService } from '../audit/audit.service.js';
import { ShareLinksService } from '../sharing/share-links.service.js';
import { ExamQueries } from './exams.queries.js';
import type { ExamDetail } from './exams.schemas.js';

/** What a share link gives: one exam to read, and its files to fetch. Every opening is an event. */
@Injectable()
export class SharedExamsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly links: ShareLinksService,
    private readonly queries: ExamQueries,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found */
  open(link: ShareLink, request: RequestInfo): Promise<ExamDetail> {
    return this.database.withOrganization(link.organizationId, async (tx) => {
      const exam = await this.queries.shared(tx, link);
      await tx.shareLink.update({
        where: { id: link.id },
        data: { openCount: { increment: 1 }, lastOpenedAt: this.clock.now() },
      });
      const detail = { exam: link.examId };
      await this.audit.record(
        tx,
        this.links.actedThrough<'shares:open'>(link, request, { action: 'shares:open', detail }),
      );
      return exam;
    });
  }

  /** The password was right. */
  async recordUnlock(link: ShareLink, request: RequestInfo): Promise<void> {
    const detail = { exam: link.examId };
    await this.audit.append(
      this.links.actedThrough<'shares:unlock'>(link, request, { action: 'shares:unlock', detail }),
    );
  }

  /**
   * A URL for the verified bytes of one of the exam's uploads, good for 900 s. Its file name is the file's number: a
   * declared name may be a patient's, and URLs end up in logs. @throws not_found
   */
  async download(link: ShareLink, uploadId: string, request: RequestInfo): Promise<string> {
    const { organizationId, examId } = link;
    const { key, position } = await this.database.withOrganization(organizationId, async (tx) => {
      const upload = await tx.upload.findFirst({
        where: {
          id: uploadId,
          organizationId,
          state: 'registered',
          slot: { examId, exam: { deletedAt: null } },
        },
        select: {
          storedObject: { select: { key: true } },
          slot: { select: { position: true } },
          studyId: true,
        },
      });
      if (!upload?.storedObject || !upload.slot) throw notFound();
      const detail = { exam: examId, upload: uploadId };
      await this.audit.record(
        tx,
        this.links.actedThrough<'shares:download'>(link, request, {
          action: 'shares:download',
          resource: { type: 'Upload', id: uploadId },
          ...(upload.studyId && { studyRef: upload.studyId }),
          detail,
        }),
      );
      return { key: upload.storedObject.key, position: upload.slot.position };
    });
    const fileName = `${String(position + 1).padStart(4, '0')}.dcm`;
    return (await this.storage.presignGet(key, fileName, this.clock.now())).url;
  }
}
