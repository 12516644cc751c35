import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import { type SignedRequest, URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { insertIssued, insertSlots } from './upload.issue.js';
import { stagingKey } from './uploads.keys.js';

/** A file as a caller declares it. */
export interface DeclaredFile {
  name: string;
  /** Bytes. */
  size: number;
}

/** An upload whose URL is still to be signed: signing needs no transaction. */
export interface IssuedUpload extends DeclaredFile {
  uploadId: string;
}

/** Issues uploads: the ledger's first line of every object. Surfaces translate what it returns. */
@Injectable()
export class UploadsService {
  constructor(
    private readonly storage: StorageService,
    private readonly clock: Clock,
  ) {}

  /** A slot and a first attempt for each file, in the order given. */
  async issueForExam(
    tx: SqlTransaction,
    caller: Caller,
    examId: string,
    files: DeclaredFile[],
  ): Promise<IssuedUpload[]> {
    const { organizationId } = caller.principal;
    const slots = files.map((file) => ({ ...file, id: newId(), uploadId: newId() }));
    await insertSlots(tx, organizationId, examId, slots);
    await this.insert(
      tx,
      caller,
      slots.map(({ id, uploadId, size }) => ({ uploadId, slotId: id, size })),
    );
    return slots.map(({ uploadId, name, size }) => ({ uploadId, name, size }));
  }

  /** Another attempt for each slot. */
  async reissue(
    tx: SqlTransaction,
    caller: Caller,
    slots: (DeclaredFile & { id: string })[],
  ): Promise<IssuedUpload[]> {
    const attempts = slots.map((slot) => ({ ...slot, uploadId: newId() }));
    await this.insert(
      tx,
      caller,
      attempts.map(({ id, uploadId, size }) => ({ uploadId, slotId: id, size })),
    );
    return attempts.map(({ uploadId, name, size }) => ({ uploadId, name, size }));
  }

  /** Signs one URL an upload, in order. */
  async sign(caller: Caller, uploads: IssuedUpload[]): Promise<SignedRequest[]> {
    const now = this.clock.now();
    const { organizationId } = caller.principal;
    return Promise.all(
      uploads.map(({ uploadId, size }) =>
        this.storage.presignPut(stagingKey(organizationId, uploadId), size, now),
      ),
    );
  }

  private async insert(
    tx: SqlTransaction,
    { principal }: Caller,
    attempts: { uploadId: string; slotId: string; size: number }[],
  ): Promise<void> {
    const issuedAt = this.clock.now();
    const urlExpiresAt = new Date(issuedAt.getTime() + URL_LIFETIME_SECONDS * 1000);
    await insertIssued(
      tx,
      principal.organizationId,
      { issuedAt, urlExpiresAt },
      attempts.map(({ uploadId, slotId, size }) => ({
        id: uploadId,
        surface: 'exams',
        principal,
        slotId,
        size,
      })),
    );
  }
}
