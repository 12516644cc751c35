import type { DicomHeader } from '../../formats/dicom/header.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { UploadSurface } from './upload.issue.js';
import type { Rejection } from './uploads.rules.js';

/** An upload whose bytes are verified and kept. */
export interface KeptUpload {
  uploadId: string;
  surface: UploadSurface;
  /** The order it was declared for. */
  orderId: string | null;
  /** Who uploaded it. */
  principalId: string;
  storedObjectId: string;
}

/** A DICOM instance, to be registered as what it is. */
export interface VerifiedInstance extends KeptUpload {
  /** Whether its uploader may replace what others uploaded. */
  mayReplace: boolean;
  /** When it landed, by the bucket. */
  landedAt: Date;
  header: DicomHeader;
}

/** A NIfTI set, each of whose three files is an upload. */
export interface VerifiedVolume extends KeptUpload {
  bvalUploadId: string;
  bvecUploadId: string;
  /** Voxels along x, y, z. */
  dimensions: number[];
  volumes: number;
}

/** What became of an instance: the study and order it joined, or why it may not. */
export type Registration =
  { studyId: string; orderId: string | null; duplicate: boolean } | { rejection: Rejection };

/** All that landed up to a moment is in the ledger; of the organizations it may not be, nothing is known. */
export interface Noticed {
  until: Date;
  except: ReadonlySet<string>;
}

/**
 * What uploads tell whoever keeps the studies, inside the transaction that verifies them. An abstract class rather than
 * an import, so that the core knows no surface and no index; `studies` implements it.
 */
export abstract class Registrar {
  /** Takes the locks registration needs, in one fixed order, before anything else of the transaction is locked. */
  abstract lock(tx: SqlTransaction, organizationId: string, headers: DicomHeader[]): Promise<void>;

  /** Registers the instances; one answer each, in order. */
  abstract register(
    tx: SqlTransaction,
    organizationId: string,
    instances: VerifiedInstance[],
  ): Promise<Registration[]>;

  /** Registers the sets; the order of each, in order. */
  abstract registerVolumes(
    tx: SqlTransaction,
    organizationId: string,
    volumes: VerifiedVolume[],
  ): Promise<string[]>;

  /** Closes what has been idle long enough. */
  abstract closeDue(noticed: Noticed): Promise<void>;
}

/** What a surface whose files are kept as they are (a report, say) does when one of them is verified. */
export abstract class SurfaceListener {
  abstract readonly surface: UploadSurface;
  abstract registered(tx: SqlTransaction, organizationId: string, uploads: KeptUpload[]): Promise<void>;
}
