import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import { disagreements, factsOf, type Identity, landedAfter } from './identity.js';
import type { NewVersion, PresentInstance } from './instance.rows.js';
import { type StudyFacts, text } from './study.rows.js';
import { type Submission, submissionFor } from './submission.js';

type Present = Identity & Pick<PresentInstance, 'uploadId' | 'landedAt' | 'generation'> & { id?: string };

interface Placed {
  studyId: string;
  duplicate: boolean;
  version?: NewVersion;
}

/**
 * Decides, one instance after the other in the order they landed, which version of which instance is present in which
 * generation. It reads and writes nothing: what it decides is then written at once.
 */
export class GenerationPlan {
  private readonly now = new Map<string, Present>();
  private readonly placed = new Map<string, Placed>();
  private readonly open = new Map<string, Submission & { studyId: string }>();
  private readonly endings = new Map<string, number>();
  private readonly restatements = new Map<string, DicomHeader>();

  constructor(
    private readonly known: ReadonlyMap<string, PresentInstance>,
    private readonly submissions: ReadonlyMap<string, Submission>,
  ) {}

  /** What stands under the UID by now. */
  present(sopInstanceUid: string): Present | undefined {
    return this.now.get(sopInstanceUid) ?? this.known.get(sopInstanceUid);
  }

  refuse({ uploadId }: VerifiedInstance): void {
    this.placed.delete(uploadId);
  }

  place(instance: VerifiedInstance, study: StudyFacts, seriesId: string): void {
    const { header, uploadId, storedObjectId, landedAt } = instance;
    const present = this.present(header.sopInstanceUid);
    if (present?.storedObjectId === storedObjectId) {
      this.placed.set(uploadId, { studyId: study.id, duplicate: true });
      return;
    }
    const version = { header, seriesId, storedObjectId, uploadId, landedAt };
    if (present && landedBefore(instance, present)) {
      // What landed after it is present already: it is kept, and was replaced before it was ever shown.
      const { generation } = present;
      const past = {
        ...version,
        generation,
        supersededIn: generation,
        disagreements: this.compare(study, header),
      };
      this.placed.set(uploadId, { studyId: study.id, duplicate: false, version: past });
      return;
    }
    const { generation } = this.join(study.id, landedAt, header);
    if (present) this.end(present, generation);
    const next: NewVersion = {
      ...version,
      generation,
      supersededIn: null,
      disagreements: this.compare(study, header),
    };
    this.placed.set(uploadId, { studyId: study.id, duplicate: false, version: next });
    this.now.set(header.sopInstanceUid, presentAs(instance, generation));
  }

  /** Submissions that were begun or go on. */
  opened(): (Submission & { studyId: string })[] {
    return [...this.open.values()];
  }

  /** Versions from before that ended. */
  ended(): { id: string; generation: number }[] {
    return [...this.endings].map(([id, generation]) => ({ id, generation }));
  }

  versions(): NewVersion[] {
    return [...this.placed.values()].flatMap(({ version }) => version ?? []);
  }

  /** Undefined for one that was refused, or lost to another study's instance of the same UID. */
  outcome(
    { uploadId }: VerifiedInstance,
    written: ReadonlySet<string>,
  ): { studyId: string; duplicate: boolean } | undefined {
    const placed = this.placed.get(uploadId);
    if (!placed || (placed.version && !written.has(uploadId))) return undefined;
    return { studyId: placed.studyId, duplicate: placed.duplicate };
  }

  /** Studies that are sent anew: what their first instance says now stands for them. By study id. */
  restated(): ReadonlyMap<string, DicomHeader> {
    return this.restatements;
  }

  private compare(study: StudyFacts, header: DicomHeader): NewVersion['disagreements'] {
    const restated = this.restatements.get(study.id);
    return disagreements(restated ? factsOf(restated) : study, header);
  }

  private join(studyId: string, landedAt: Date, header: DicomHeader): Submission {
    const present = this.open.get(studyId) ?? this.submissions.get(studyId);
    const next = submissionFor(present, landedAt);
    if (present && next.generation > present.generation) this.restatements.set(studyId, header);
    this.open.set(studyId, { ...next, studyId });
    return next;
  }

  private end(present: Present, generation: number): void {
    if (present.id) return void this.endings.set(present.id, generation);
    const earlier = this.placed.get(present.uploadId!)!.version!; // of this very batch
    earlier.supersededIn = generation;
  }
}

function landedBefore(instance: VerifiedInstance, present: Present): boolean {
  if (!present.landedAt || !present.uploadId) return false;
  return landedAfter(instance, { landedAt: present.landedAt, uploadId: present.uploadId }) < 0;
}

function presentAs(
  { header, storedObjectId, uploadId, landedAt, principalId }: VerifiedInstance,
  generation: number,
): Present {
  const { studyInstanceUid, seriesInstanceUid, sopClassUid } = header;
  return {
    storedObjectId,
    studyInstanceUid,
    seriesInstanceUid,
    sopClassUid,
    patientId: text(header.patientId),
    issuerOfPatientId: text(header.issuerOfPatientId),
    uploaderIds: [principalId],
    uploadId,
    landedAt,
    generation,
  };
}
