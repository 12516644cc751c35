import type { DicomHeader } from '../../formats/dicom/header.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { Rejection } from './uploads.rules.js';

/** An upload whose bytes are verified and kept, to be registered as what it is. */
export interface VerifiedUpload {
  uploadId: string;
  /** Who uploaded it. */
  principalId: string;
  storedObjectId: string;
  header: DicomHeader;
}

/** What became of it: the study it joined, or why it may not. */
export type Registration = { studyId: string; duplicate: boolean } | { rejection: Rejection };

/**
 * What uploads tell whoever keeps the studies, inside the transaction that verifies them. An abstract class rather than
 * an import, so that the core knows no surface and no index; `studies` implements it.
 */
export abstract class Registrar {
  /** Takes the locks registration needs, in one fixed order, before anything else of the transaction is locked. */
  abstract lock(tx: SqlTransaction, organizationId: string, headers: DicomHeader[]): Promise<void>;

  /** Registers the uploads; one answer each, in order. */
  abstract register(
    tx: SqlTransaction,
    organizationId: string,
    uploads: VerifiedUpload[],
  ): Promise<Registration[]>;
}
