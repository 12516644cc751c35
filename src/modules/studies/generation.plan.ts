import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import { disagreements, factsOf, landedBefore } from './identity.js';
import type { NewVersion, PresentInstance } from './instance.rows.js';
import type { Restatement } from './restatement.rows.js';
import type { StudyFacts } from './study.rows.js';
import { type Submission, submissionFor } from './submission.js';

type Version = Omit<NewVersion, 'disagreements'>;

/** Of before, with an id, or of this very batch. */
type Present = Pick<PresentInstance, 'storedObjectId' | 'uploadId' | 'landedAt' | 'generation'> &
  ({ id: string } | { version: Version });

interface Placed {
  study: StudyFacts;
  duplicate: boolean;
  version?: Version;
}

/** The bytes of a version from before landed once more, after all others. */
export type Renewal = Pick<Version, 'uploadId' | 'landedAt'> & { id: string };

/**
 * Decides, one instance after the other in the order they landed, which version of which instance is present in which
 * generation. It reads and writes nothing: what it decides is then written at once.
 */
export class GenerationPlan {
  private readonly now = new Map<string, Present>();
  private readonly placed = new Map<string, Placed>();
  private readonly latest = new Map<string, Submission>();
  private readonly joined = new Map<string, Submission & { studyId: string }>();
  private readonly endings = new Map<string, number>();
  private readonly renewals = new Map<string, Renewal>();
  private readonly restatements = new Map<string, Restatement>();

  constructor(
    private readonly known: ReadonlyMap<string, PresentInstance>,
    private readonly submissions: ReadonlyMap<string, Submission>,
  ) {}

  place(instance: VerifiedInstance, study: StudyFacts, seriesId: string): void {
    const { header, uploadId, storedObjectId, landedAt } = instance;
    const { sopInstanceUid } = header;
    const present = this.now.get(sopInstanceUid) ?? this.known.get(sopInstanceUid);
    if (present?.storedObjectId === storedObjectId) {
      this.placed.set(uploadId, { study, duplicate: true });
      if (!landedBefore(instance, present)) this.renew(present, instance);
      return;
    }
    const version = { header, seriesId, storedObjectId, uploadId, landedAt };
    if (present && landedBefore(instance, present)) {
      // What landed after it is present already: it is kept, and was replaced before it was ever shown.
      const { generation } = present;
      const past = { ...version, generation, supersededIn: generation };
      this.placed.set(uploadId, { study, duplicate: false, version: past });
      return;
    }
    const { generation } = this.join(study, landedAt, header);
    if (present) this.end(present, generation);
    const next = { ...version, generation, supersededIn: null };
    this.placed.set(uploadId, { study, duplicate: false, version: next });
    this.now.set(sopInstanceUid, { ...next, version: next });
  }

  /** Submissions that were begun or go on: of a study, the last one stays open. */
  opened(): (Submission & { studyId: string })[] {
    return [...this.joined.values()];
  }

  /** Versions from before that ended. */
  ended(): { id: string; generation: number }[] {
    return [...this.endings].map(([id, generation]) => ({ id, generation }));
  }

  renewed(): Renewal[] {
    return [...this.renewals.values()];
  }

  versions(): NewVersion[] {
    return [...this.placed.values()].flatMap(({ study, version }) => {
      if (!version) return [];
      const restated = this.restatements.get(study.id);
      const facts = restated ? factsOf(restated.header) : study;
      return { ...version, disagreements: disagreements(facts, version.header) };
    });
  }

  /** Undefined for one that was not placed. */
  outcome({ uploadId }: VerifiedInstance): { studyId: string; duplicate: boolean } | undefined {
    const placed = this.placed.get(uploadId);
    return placed && { studyId: placed.study.id, duplicate: placed.duplicate };
  }

  /** Studies that are sent anew: what their first instance says now stands for them. By study id. */
  restated(): ReadonlyMap<string, Restatement> {
    return this.restatements;
  }

  private join(study: StudyFacts, landedAt: Date, header: DicomHeader): Submission {
    const present = this.latest.get(study.id) ?? this.submissions.get(study.id);
    const next = submissionFor(present, landedAt);
    // Only what says the same of whose study it is may speak for it; an instance of another patient is marked.
    const isSamePatient = study.patientId === factsOf(header).patientId;
    if (present && next.generation > present.generation && isSamePatient)
      this.restatements.set(study.id, { former: study, header });
    this.latest.set(study.id, next);
    this.joined.set(`${study.id} ${next.generation}`, { ...next, studyId: study.id });
    return next;
  }

  /** What landed between the two and is verified only now must not replace bytes that came again after it. */
  private renew(present: Present, { header, uploadId, landedAt }: VerifiedInstance): void {
    if ('id' in present) this.renewals.set(present.id, { id: present.id, uploadId, landedAt });
    else Object.assign(present.version, { uploadId, landedAt });
    this.now.set(header.sopInstanceUid, { ...present, uploadId, landedAt });
  }

  private end(present: Present, generation: number): void {
    if ('id' in present) this.endings.set(present.id, generation);
    else present.version.supersededIn = generation;
  }
}
