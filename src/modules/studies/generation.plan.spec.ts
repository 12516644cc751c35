import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import { GenerationPlan } from './generation.plan.js';
import { admitted, contested } from './admission.js';
import { landedAfter } from './identity.js';
import type { PresentInstance } from './instance.rows.js';
import type { StudyFacts } from './study.rows.js';
import type { Submission } from './submission.js';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const STUDY = '1.2.3';

/** One landing of one instance of the study. */
interface Landing {
  /** Milliseconds since the first. */
  time: number;
  /** Its place among the landings: ties are decided by it. */
  number: number;
  sop: string;
  /** Which bytes; of different instances they differ anyway. */
  bytes: number;
  principal: string;
  mayReplace: boolean;
}

type Outcome = 'new' | 'duplicate' | 'refused';

/** A version as it was written, and what became of it. */
interface Row extends PresentInstance {
  supersededIn: number | null;
}

/** What the tables hold: the plan is carried out on it as the registrar does on them. */
class Index {
  rows: Row[] = [];
  readonly submissions: Submission[] = [];
  name: string | null = null;
  private readonly creators = new Map<string, string>();
  readonly outcomes = new Map<string, Outcome>();
  private readonly uploaders = new Map<string, Set<string>>();

  register(landings: Landing[]): void {
    const known = new Map(
      this.rows
        .filter(({ supersededIn }) => supersededIn === null)
        .map((row) => [row.sopInstanceUid, { ...row }]),
    );
    const instances = landings.map(verified);
    const contestants = contested(known, instances);
    const uploaders = new Map([...this.uploaders].filter(([object]) => contestants.includes(object)));
    const welcome = admitted(known, uploaders, this.creators, instances);
    this.name ??= welcome[0]?.header.patientName ?? null;
    if (welcome[0] && !this.creators.has(STUDY)) this.creators.set(STUDY, welcome[0].principalId);
    const study: StudyFacts = { ...NOBODY, patientName: this.name };
    const plan = new GenerationPlan(known, new Map(this.submission && [[STUDY, this.submission]]));
    for (const instance of welcome) plan.place(instance, study, 'series');

    for (const { header } of plan.restated().values()) this.name = header.patientName ?? null;
    for (const submission of plan.opened()) this.submissions[submission.generation - 1] = submission;
    for (const { id, generation } of plan.ended()) this.row(id).supersededIn = generation;
    for (const { id, ...last } of plan.renewed()) Object.assign(this.row(id), last);
    for (const { header, ...version } of plan.versions())
      this.rows.push({ ...header, ...version, ...NO_PATIENT, id: version.uploadId });
    for (const instance of instances) this.note(instance, plan);
  }

  /** What a reader of the generation sees: the bytes of each instance. */
  shown(generation: number): Record<string, string> {
    const shown = this.rows.filter(
      (row) => row.generation <= generation && (row.supersededIn === null || row.supersededIn > generation),
    );
    const bytes = Object.fromEntries(shown.map((row) => [row.sopInstanceUid, row.storedObjectId]));
    expect(Object.keys(bytes)).toHaveLength(shown.length); // never two of one instance
    return bytes;
  }

  get submission(): Submission | undefined {
    return this.submissions.at(-1);
  }

  get generations(): Record<string, string>[] {
    return Array.from(this.submissions, ({ generation }) => this.shown(generation));
  }

  private note(instance: VerifiedInstance, plan: GenerationPlan): void {
    const { uploadId, principalId, storedObjectId } = instance;
    const outcome = plan.outcome(instance);
    this.outcomes.set(uploadId, !outcome ? 'refused' : outcome.duplicate ? 'duplicate' : 'new');
    if (!outcome) return;
    if (outcome.duplicate) return; // equal bytes give no right over what they equal
    this.uploaders.set(storedObjectId, (this.uploaders.get(storedObjectId) ?? new Set()).add(principalId));
  }

  private row(id: string): Row {
    return this.rows.find((row) => row.id === id)!;
  }
}

const NOBODY: StudyFacts = {
  id: STUDY,
  patientId: null,
  patientName: null,
  patientBirthDate: null,
  patientSex: null,
  accessionNumber: null,
  studyDate: null,
};
const NO_PATIENT = { patientId: null, issuerOfPatientId: null };

const objectOf = ({ sop, bytes }: Landing): string => `${sop}:${bytes}`;
const uploadOf = ({ number }: Landing): string => String(number).padStart(4, '0');

function verified(landing: Landing): VerifiedInstance {
  const header = {
    studyInstanceUid: STUDY,
    seriesInstanceUid: '1.2.3.4',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    sopInstanceUid: landing.sop,
    patientName: uploadOf(landing),
  } as DicomHeader;
  return {
    header,
    uploadId: uploadOf(landing),
    surface: 'ingestion',
    orderId: null,
    principalId: landing.principal,
    storedObjectId: objectOf(landing),
    mayReplace: landing.mayReplace,
    landedAt: new Date(START + landing.time),
  };
}

/** The rules of domain.md, for landings in their order. */
function model(landings: Landing[]) {
  const generations: Record<string, string>[] = [];
  const standing = new Map<string, string>();
  const uploaders = new Map<string, Set<string>>();
  const outcomes: Record<string, Outcome> = {};
  let last = -Infinity;
  let name: string | null = null;
  let creator: string | undefined;
  for (const landing of landings) {
    const { sop, principal, time } = landing;
    const object = objectOf(landing);
    const present = standing.get(sop);
    const own = uploaders.get(present ?? '')?.has(principal) ?? true;
    creator ??= principal;
    if (present !== object && !(own && principal === creator) && !landing.mayReplace) {
      outcomes[uploadOf(landing)] = 'refused';
      continue;
    }
    outcomes[uploadOf(landing)] = present === object ? 'duplicate' : 'new';
    if (present === object) continue;
    uploaders.set(object, (uploaders.get(object) ?? new Set()).add(principal));
    if (time > last + 5 * MINUTE) {
      generations.push({ ...generations.at(-1) });
      name = uploadOf(landing);
    }
    last = time;
    standing.set(sop, object);
    generations.at(-1)![sop] = object;
  }
  return { generations, outcomes, last, name };
}

const landings: fc.Arbitrary<Landing[]> = fc
  .array(
    fc.record({
      gap: fc.constantFrom(0, 0, 1, 59_900, 4 * MINUTE, 5 * MINUTE, 5 * MINUTE + 1, 20 * MINUTE),
      sop: fc.constantFrom('a', 'b', 'c'),
      bytes: fc.constantFrom(0, 1, 2),
      principal: fc.constantFrom('hospital', 'hospital', 'clinic'),
      mayReplace: fc.boolean(),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((steps) => {
    let time = 0;
    return steps.map(({ gap, ...landing }, number) => ({ ...landing, number, time: (time += gap) }));
  });

/** The list, cut where the numbers say. */
function inBatches<T>(list: T[], cuts: number[]): T[][] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % list.length), list.length])].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((place, index) => list.slice(places[index], place));
}
const cuts = fc.array(fc.nat(), { maxLength: 6 });

function registered(batches: Landing[][]): Index {
  const index = new Index();
  for (const batch of batches) index.register(batch);
  return index;
}

describe('instances that are verified in the order they landed', () => {
  it('end as the rules say, in whatever batches they come', () => {
    fc.assert(
      fc.property(landings, cuts, fc.infiniteStream(fc.nat()), (list, where, random) => {
        // Within a batch the order of verification is nobody's.
        const batches = inBatches(list, where).map((batch) => shuffled(batch, random));
        const index = registered(batches);
        const { generations, outcomes, last, name } = model(list);
        expect(index.generations).toEqual(generations);
        expect(Object.fromEntries([...index.outcomes].sort())).toEqual(outcomes);
        expect(index.submission?.lastLandedAt).toEqual(new Date(START + last));
        expect(index.submission?.closesAt).toEqual(new Date(START + last + MINUTE));
        expect(index.name).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('instances that are verified in any order', () => {
  it('are never replaced by what landed before them, and none disappears', () => {
    fc.assert(
      fc.property(landings, cuts, fc.infiniteStream(fc.nat()), (list, where, random) => {
        const index = new Index();
        const done: Landing[] = [];
        for (const batch of inBatches(shuffled(list, random), where)) {
          const before = index.generations;
          index.register(batch);
          done.push(...batch);
          const taken = done.filter((each) => index.outcomes.get(uploadOf(each)) !== 'refused');
          const present = index.shown(index.submission!.generation);

          // Under each UID stands what landed last of what was taken.
          for (const sop of new Set(taken.map((each) => each.sop))) {
            const latest = taken.filter((each) => each.sop === sop).reduce(later);
            expect([sop, present[sop]]).toEqual([sop, objectOf(latest)]);
          }
          // Each has an outcome; what is taken has a version; a refusal only ever keeps others' bytes as they were.
          expect(index.outcomes.size).toBe(done.length);
          for (const each of taken)
            expect(index.rows.map(({ storedObjectId }) => storedObjectId)).toContain(objectOf(each));
          // What a generation showed that a later one follows, it shows for ever.
          expect(index.generations.slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
          // And each generation still has an instance for each that the one before it has.
          index.generations.reduce((former, next) => {
            expect(Object.keys(next)).toEqual(expect.arrayContaining(Object.keys(former)));
            return next;
          }, {});
        }
        expect(index.submission?.lastLandedAt.getTime()).toBeLessThanOrEqual(
          START + Math.max(...list.map(({ time }) => time)),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('of one uploader end with the same bytes present as in the order they landed', () => {
    fc.assert(
      fc.property(landings, cuts, fc.infiniteStream(fc.nat()), (list, where, random) => {
        const own = list.map((landing) => ({ ...landing, principal: 'hospital' }));
        const index = registered(inBatches(shuffled(own, random), where));
        expect(index.shown(index.submission!.generation)).toEqual(model(own).generations.at(-1));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('instances in one batch', () => {
  const header = (study: string) => ({ ...verified(landing({})).header, studyInstanceUid: study });
  const landing = (given: Partial<Landing>): Landing => ({
    time: 0,
    number: 0,
    sop: 'a',
    bytes: 0,
    principal: 'hospital',
    mayReplace: true,
    ...given,
  });

  it('of two studies under one UID are one and a conflict: which, their landing says', () => {
    const [first, second] = [verified(landing({})), verified(landing({ number: 1, bytes: 1 }))];
    const other = { ...second, header: header('9.9') };
    expect(admitted(new Map(), new Map(), new Map(), [other, first])).toEqual([first]);
    const earlier = { ...other, landedAt: new Date(START - 1) };
    expect(admitted(new Map(), new Map(), new Map(), [first, earlier])).toEqual([earlier]);
  });

  it('that landed at once stand in the order of their upload ids', () => {
    const [a, b] = [verified(landing({ number: 1 })), verified(landing({ number: 2, bytes: 1 }))];
    expect([b, a].sort(landedAfter)).toEqual([a, b]);
    const index = registered([[landing({ number: 2, bytes: 1 }), landing({ number: 1 })]]);
    expect(index.shown(1)).toEqual({ a: 'a:1' });
  });
});

const later = (a: Landing, b: Landing): Landing =>
  a.time > b.time || (a.time === b.time && a.number > b.number) ? a : b;

function shuffled<T>(list: T[], random: Iterator<number>): T[] {
  const keyed = list.map((item) => ({ item, key: random.next().value as number }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
