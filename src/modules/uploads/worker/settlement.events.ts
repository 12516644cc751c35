import { WORKER } from '../../audit/audit.actors.js';
import type { AuditEntry } from '../../audit/audit.events.js';
import type { Registered } from '../upload.ledger.js';
import type { Rejection } from '../uploads.rules.js';
import type { AcceptedVerdict, Verdict } from './content.js';

/** What became of uploads, and of the entries of archives among them. */
export interface Settled {
  registered: (Registered & { verdict: Verdict })[];
  rejected: { verdict: Verdict; uploadId: string; rejection: Rejection; storedObjectId?: string }[];
  /** Archives whose sidecar became metadata of their order. */
  accompanied: Set<string>;
}

/** The events of a settlement. An archive has one for all its entries, and one more for each that was refused. */
export function eventsOf(
  organizationId: string,
  verified: AcceptedVerdict[],
  { registered, rejected, accompanied }: Settled,
): AuditEntry[] {
  const event = (
    { origin }: Verdict,
    uploadId: string,
    entry: Pick<AuditEntry, 'action' | 'detail' | 'studyRef'>,
  ): AuditEntry => ({
    organizationId,
    actor: WORKER,
    outcome: 'success',
    resource: { type: 'Upload', id: uploadId },
    origin,
    ...entry,
  });
  const isEntry = ({ verdict, uploadId }: Settled['registered'][number]) => verdict.uploadId !== uploadId;
  const entries = new Map<string, number>();
  const studies = new Map<string, string>(); // an archive holds one study at most
  for (const { verdict, studyId } of registered.filter(isEntry)) {
    entries.set(verdict.uploadId, (entries.get(verdict.uploadId) ?? 0) + 1);
    if (studyId) studies.set(verdict.uploadId, studyId);
  }
  return [
    ...verified.map((verdict) =>
      event(verdict, verdict.uploadId, {
        action: 'uploads:verify',
        detail: { size: verdict.outcome.size, attempt: verdict.copy.attempt },
      }),
    ),
    ...registered
      .filter((one) => !isEntry(one))
      .map(({ verdict, uploadId, studyId = studies.get(uploadId), duplicate }) =>
        event(verdict, uploadId, {
          action: 'uploads:register',
          ...(studyId && { studyRef: studyId }),
          detail: {
            duplicate,
            ...(entries.has(uploadId) && { entries: entries.get(uploadId)! }),
            ...(accompanied.has(uploadId) && { metadata: true }),
          },
        }),
      ),
    ...rejected.map(({ verdict, uploadId, rejection }) =>
      event(verdict, uploadId, { action: 'uploads:reject', detail: { rule: rejection.rule } }),
    ),
  ];
}
