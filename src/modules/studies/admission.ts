import type { VerifiedInstance } from '../uploads/registrar.js';
import { landedAfter, landedBefore } from './identity.js';
import type { PresentInstance, Uploaders } from './instance.rows.js';
import { text } from './study.rows.js';

/** Who stands under a SOPInstanceUID: what replacing it must not change. */
type Standing = Pick<
  PresentInstance,
  | 'storedObjectId'
  | 'studyInstanceUid'
  | 'seriesInstanceUid'
  | 'sopClassUid'
  | 'patientId'
  | 'issuerOfPatientId'
  | 'uploadId'
  | 'landedAt'
>;

/** Stored objects of which one replaces another here: whose they are has to be known. */
export function contested(
  known: ReadonlyMap<string, PresentInstance>,
  instances: VerifiedInstance[],
): string[] {
  const objects = new Map<string, Set<string>>();
  for (const { header, storedObjectId } of instances) {
    const { sopInstanceUid } = header;
    const present = known.get(sopInstanceUid)?.storedObjectId;
    const all = objects.get(sopInstanceUid) ?? new Set(present && [present]);
    objects.set(sopInstanceUid, all.add(storedObjectId));
  }
  return [...objects.values()].filter(({ size }) => size > 1).flatMap((all) => [...all]);
}

/**
 * Those that are in conflict neither with what is there nor with one another, in the order they landed. Decided before
 * anything is made: what is refused leaves no empty study behind.
 */
export function admitted(
  known: ReadonlyMap<string, PresentInstance>,
  uploaders: Uploaders,
  creators: ReadonlyMap<string, string | null>,
  instances: VerifiedInstance[],
): VerifiedInstance[] {
  const owners = new Map(creators);
  const standing = new Map<string, Standing>(known);
  const brought = new Map([...uploaders].map(([object, principals]) => [object, new Set(principals)]));
  return [...instances].sort(landedAfter).filter((instance) => {
    const { header, storedObjectId, principalId } = instance;
    const present = standing.get(header.sopInstanceUid);
    if (present?.storedObjectId === storedObjectId) {
      // Equal bytes change nothing, and give no right over what they equal.
      standing.set(header.sopInstanceUid, successor(present, instance));
      return true;
    }
    if (!mayWrite(owners, instance)) return false;
    if (present && conflicts(present, brought.get(present.storedObjectId), instance)) return false;
    owners.set(header.studyInstanceUid, owners.get(header.studyInstanceUid) ?? principalId);
    brought.set(storedObjectId, (brought.get(storedObjectId) ?? new Set()).add(principalId));
    standing.set(header.sopInstanceUid, successor(present, instance));
    return true;
  });
}

/**
 * Whether the uploader may write the study: one that it began, or any with `uploads:replace`. Who only knows a study's
 * UID could otherwise add to it, have an order of its own joined to it, and learn by that whose it is.
 */
export function mayWrite(
  owners: ReadonlyMap<string, string | null>,
  { header, principalId, mayReplace }: VerifiedInstance,
): boolean {
  const owner = owners.get(header.studyInstanceUid);
  return owner === undefined || owner === principalId || mayReplace;
}

/**
 * Whether this SOPInstanceUID already stands for something else, or for other bytes that somebody else brought, whom
 * this uploader may not replace: it could change another patient's study, or one the uploader may not even see.
 */
function conflicts(
  present: Standing,
  uploaders: ReadonlySet<string> | undefined,
  { header, principalId, mayReplace }: VerifiedInstance,
): boolean {
  const isAnothers = uploaders !== undefined && !uploaders.has(principalId);
  return (
    (isAnothers && !mayReplace) ||
    present.studyInstanceUid !== header.studyInstanceUid ||
    present.seriesInstanceUid !== header.seriesInstanceUid ||
    present.sopClassUid !== header.sopClassUid ||
    present.patientId !== text(header.patientId) ||
    present.issuerOfPatientId !== text(header.issuerOfPatientId)
  );
}

/** What stands under the SOPInstanceUID once the instance is registered. */
function successor(former: Standing | undefined, instance: VerifiedInstance): Standing {
  if (former && landedBefore(instance, former)) return former;
  const { header, storedObjectId, uploadId, landedAt } = instance;
  const { studyInstanceUid, seriesInstanceUid, sopClassUid } = header;
  return {
    storedObjectId,
    studyInstanceUid,
    seriesInstanceUid,
    sopClassUid,
    patientId: text(header.patientId),
    issuerOfPatientId: text(header.issuerOfPatientId),
    uploadId,
    landedAt,
  };
}
