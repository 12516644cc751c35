import type { Prisma } from '../../generated/prisma/client.js';
import { stagingKey } from './uploads.keys.js';
import type { UploadView } from './uploads.schemas.js';

/** What a view of an upload is made of. */
export const uploadParts = {
  slot: { select: { name: true, examId: true } },
  storedObject: { select: { kind: true, sha256: true } },
  study: { select: { studyInstanceUid: true } },
  files: { select: { caseId: true }, take: 1 },
} as const satisfies Prisma.UploadInclude;

export type UploadRow = Prisma.UploadGetPayload<{ include: typeof uploadParts }>;

/** Where its bytes went, and who brought the same ones before. */
export interface Whereabouts {
  instance?: { sopInstanceUid: string; seriesInstanceUid: string };
  /** Of an archive: the study in it. */
  studyInstanceUid?: string;
  duplicateOf?: string;
}

interface Contents {
  entries: number;
  skipped: string[];
}

export function viewUpload(upload: UploadRow, whereabouts: Whereabouts): UploadView {
  const { slot, declaredName, declaredType, storedObject, rejectionRule, rejectionMessage, rejectionWhere } =
    upload;
  const name = slot?.name ?? declaredName;
  const size = upload.landedSize ?? upload.declaredSize;
  const sha256 = storedObject?.sha256 ?? upload.declaredSha256;
  return {
    id: upload.id,
    state: upload.state,
    surface: upload.surface,
    key: stagingKey(upload.organizationId, upload.id),
    ...(name && { name }),
    ...(declaredType && { content_type: declaredType }),
    ...(size !== null && { size: Number(size) }),
    ...(sha256 && { sha256: Buffer.from(sha256).toString('hex') }),
    ...(upload.orderId && { order_id: upload.orderId }),
    ...(slot?.examId && { exam_id: slot.examId }),
    // One of its own; what staff attached to a case may be attached to others as well.
    ...(upload.surface === 'files' && upload.files[0]?.caseId && { case_id: upload.files[0].caseId }),
    ...(upload.parentId && { archive_upload_id: upload.parentId }),
    ...(rejectionRule && {
      rejection: {
        rule: rejectionRule,
        message: rejectionMessage ?? '',
        ...(rejectionWhere && { where: rejectionWhere }),
      },
    }),
    ...(upload.state === 'registered' &&
      storedObject && { result: resultOf(upload, storedObject.kind, whereabouts) }),
    history: historyOf(upload),
  };
}

function resultOf(
  upload: UploadRow,
  kind: string,
  { instance, studyInstanceUid, duplicateOf }: Whereabouts,
): UploadView['result'] {
  const contents = upload.contents as Contents | null;
  const studyUid = upload.study?.studyInstanceUid ?? studyInstanceUid;
  return {
    kind,
    ...(studyUid && { study_uid: studyUid }),
    ...(instance && { series_uid: instance.seriesInstanceUid, sop_uid: instance.sopInstanceUid }),
    ...(contents && { instances: contents.entries, skipped: contents.skipped }),
    ...(duplicateOf && { duplicate_of: duplicateOf }),
  };
}

/** Every state it has been in, as far as it came; `expired` is left out once it landed after all. */
function historyOf(upload: UploadRow): UploadView['history'] {
  const uploader = `${upload.principalKind}:${upload.principalId}`;
  const steps: [UploadView['state'], Date | null, string][] = [
    ['issued', upload.issuedAt, uploader],
    ['landed', upload.landedAt, uploader],
    ['expired', upload.state === 'expired' ? upload.stateChangedAt : null, 'system:reconciler'],
    ['verified', upload.verifiedAt, 'system:worker'],
    ['registered', upload.registeredAt, 'system:worker'],
    ['rejected', upload.rejectedAt, 'system:worker'],
    ['deleted', upload.deletedAt, 'system:deletion'],
    ['purged', upload.state === 'purged' ? upload.stateChangedAt : null, 'system:reconciler'],
  ];
  return steps.flatMap(([state, at, by]) => (at ? [{ state, at: at.toISOString(), by }] : []));
}
