import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { WORKER } from '../../audit/audit.actors.js';
import { AuditService } from '../../audit/audit.service.js';
import { deleteUploads } from '../../uploads/upload.ledger.js';
import type { DiscardFilePayload } from '../cases.jobs.js';
import { giveUp } from '../patient-file.rows.js';

/** Soft-deletes the row of a file whose upload failed, and its upload with it. Twice is once. */
@Injectable()
export class DiscardService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async discard({ organizationId, fileId }: DiscardFilePayload): Promise<void> {
    await this.database.withOrganization(organizationId, async (tx) => {
      const now = this.clock.now();
      const given = await giveUp(tx, organizationId, fileId, now);
      if (!given) return; // visible after all, or discarded already
      const { uploadId, patientId } = given;
      await deleteUploads(tx, organizationId, [uploadId], 'upload failed', now);
      await this.audit.record<'files:discard'>(tx, {
        organizationId,
        actor: WORKER,
        action: 'files:discard',
        outcome: 'success',
        resource: { type: 'PatientFile', id: fileId },
        patientRef: patientId,
        detail: { upload: uploadId },
      });
    });
  }
}
