import type { Prisma, Study } from '../../generated/prisma/client.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { type EffectiveAttributes, overlayConflicts } from '../metadata/effective.js';
import type { Overlay } from '../metadata/overlay.js';
import type { Disagreement } from './study.contents.js';
import type { StudyDetail } from './studies.schemas.js';

type Conflict = StudyDetail['conflicts'][number];

/** Instances that are named for one conflict. */
const MAX_NAMED = 100;

/** What an exam that brought the study says of its patient. */
export interface ExamClaim {
  patientName: string;
  patientId: string | null;
}

/** Of the exams one may read, which are few: most studies come with one, or none. */
export async function examClaims(
  tx: Transaction,
  { organizationId, id }: Study,
  readable: Prisma.ExamWhereInput,
): Promise<ExamClaim[]> {
  return tx.exam.findMany({
    where: {
      AND: [
        readable,
        {
          organizationId,
          deletedAt: null,
          slots: { some: { uploads: { some: { organizationId, studyId: id, state: 'registered' } } } },
        },
      ],
    },
    select: { patientName: true, patientId: true },
    take: 20,
  });
}

/** All that says otherwise than the tags the study stands for. */
export function conflictsOf(
  attributes: EffectiveAttributes,
  tags: Overlay,
  disagreements: Disagreement[],
  exams: ExamClaim[],
): Conflict[] {
  return [
    ...overlayConflicts(attributes).map(({ attribute, value, tag_value }): Conflict => ({
      attribute,
      kind: 'overlay',
      value,
      tag_value,
    })),
    ...instanceConflicts(disagreements, tags),
    ...exams.flatMap((exam) => examConflicts(exam, tags)),
  ];
}

function instanceConflicts(disagreements: Disagreement[], tags: Overlay): Conflict[] {
  const groups = new Map<string, Conflict & { sop_uids: string[] }>();
  for (const { sopUid, values } of disagreements)
    for (const [attribute, value] of Object.entries(values)) {
      const key = JSON.stringify([attribute, value]);
      const fresh = {
        attribute,
        kind: 'instance' as const,
        value,
        tag_value: tags[attribute] ?? null,
        sop_uids: [],
      };
      const group = groups.get(key) ?? fresh;
      if (group.sop_uids.length < MAX_NAMED) group.sop_uids.push(sopUid);
      groups.set(key, group);
    }
  return [...groups.values()];
}

function examConflicts({ patientName, patientId }: ExamClaim, tags: Overlay): Conflict[] {
  const conflicts: Conflict[] = [];
  const say = (attribute: string, value: string) =>
    conflicts.push({ attribute, kind: 'exam', value, tag_value: tags[attribute] });
  if (typeof tags.PatientName === 'string' && !isSamePerson(patientName, tags.PatientName))
    say('PatientName', patientName);
  if (patientId !== null && typeof tags.PatientID === 'string' && patientId !== tags.PatientID)
    say('PatientID', patientId);
  return conflicts;
}

/** An exam has the name as people write it, a tag as DICOM does: the words count, not their order, case or accents. */
function isSamePerson(written: string, tagged: string): boolean {
  const representations = tagged.split('=').map(words);
  const name = words(written);
  return representations.some(
    (tag) => tag.length === name.length && tag.every((word, index) => word === name[index]),
  );
}

const words = (name: string): string[] =>
  name
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')
    .toLowerCase()
    .split(/[\s^,.]+/)
    .filter(Boolean)
    .sort();
