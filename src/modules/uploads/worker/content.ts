import type { DicomHeader } from '../../../formats/dicom/header.js';
import type { DocumentKind } from '../../../formats/document/document.js';
import type { Overlay } from '../../metadata/overlay.js';
import type { Claim } from '../upload.ledger.js';
import type { Rejection } from '../uploads.rules.js';
import type { AuditOrigin } from '../../audit/audit.events.js';

/** What verified bytes turned out to be. */
export type Content = { kind: 'dicom'; header: DicomHeader } | Archive | { kind: Opaque };

/** Files that are kept as they are, and read by nobody here; a `file` not even once, but for its hash. */
export type Opaque = 'nifti' | 'bval' | 'bvec' | 'file' | DocumentKind;

/** A ZIP whose entries became objects of their own: one DICOM study, or one NIfTI set. */
export interface Archive {
  kind: 'zip';
  entries: ArchiveEntry[];
  /** Voxels along x, y, z and the number of volumes, when it holds a NIfTI set. */
  nifti?: { dimensions: number[]; volumes: number };
  /** `metadata.json` at the root. */
  sidecar?: Overlay;
  /** Names of the entries that are neither. */
  skipped: string[];
}

export interface ArchiveEntry extends KeptBytes {
  uploadId: string;
  name: string;
  content: { kind: 'dicom'; header: DicomHeader } | { kind: Opaque };
}

interface KeptBytes {
  /** Where they lie: under the copy's key. */
  key: string;
  size: number;
  sha256: Buffer;
}

/** The outcome of one verification, to be written down. */
export interface Verdict {
  uploadId: string;
  /** The copy that was verified; absent when there was nothing to copy. */
  copy?: Claim;
  origin: AuditOrigin;
  outcome: Rejected | Accepted;
}

export interface Rejected {
  rejection: Rejection;
}

export interface Accepted {
  size: number;
  sha256: Buffer;
  content: Content;
}

export type AcceptedVerdict = Verdict & { outcome: Accepted; copy: Claim };

export const isAccepted = (verdict: Verdict): verdict is AcceptedVerdict => 'sha256' in verdict.outcome;
