import { DicomInspector } from '../../src/formats/dicom/inspector.js';
import { DICOM_RULES } from '../../src/formats/dicom/rules.js';
import { inspectDocument } from '../../src/formats/document/document.js';
import { DOCUMENT_RULES } from '../../src/formats/document/rules.js';
import { readGradients } from '../../src/formats/nifti/gradients.js';
import { NiftiInspector } from '../../src/formats/nifti/inspector.js';
import { NIFTI_RULES } from '../../src/formats/nifti/rules.js';
import { openZip } from '../../src/formats/zip/archive.js';
import { InflateBudget } from '../../src/formats/zip/inflate-budget.js';
import { bytesSource } from '../../src/formats/zip/range-source.js';
import { ZIP_RULES } from '../../src/formats/zip/rules.js';
import { surveyArchive } from '../../src/formats/zip/survey.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { composedZip, DICOM, DOCUMENTS, GRADIENTS, NIFTI, nestedDicom, ZIP } from './samples.js';

/** How an input ended: the format it was read as (of a document, its kind), and `accepted` or the rule that refused it. */
export interface Outcome {
  readonly format: string;
  readonly outcome: string;
}

type Format = 'dicom' | 'zip' | 'nifti' | 'gradients' | 'document';

/** By their share of the inputs. */
const FORMATS: readonly Format[] = [
  'dicom',
  'dicom',
  'dicom',
  'zip',
  'zip',
  'nifti',
  'gradients',
  'document',
  'document',
  'document',
];
/** One input in so many is a data set nested 100,000 deep. */
const NESTED_ONE_IN = 1000;
const NESTED_LEVELS = 100_000;
/** Bombs go off at a size that costs no time. */
const FREE_BYTES = 4 * 1024 * 1024;

const MESSAGES: Readonly<Record<string, string>> = {
  ...DICOM_RULES,
  ...DOCUMENT_RULES,
  ...NIFTI_RULES,
  ...ZIP_RULES,
};

/** The places that may be named. Whatever else were in there would be of the file, and may be of a patient. */
const PLACE = new RegExp(
  '^(entry \\d+(, |$))?' +
    '((byte|line) \\d+|\\([0-9A-F]{4},[0-9A-F]{4}\\)|(b-value|row|vector) \\d+|sizeof_hdr|magic|dim\\[\\d\\]|datatype|bitpix|vox_offset)?$',
);

type Verdict = { kind?: string } & (
  { ok: true } | { ok: false; rule: string; message: string; where?: string }
);

/**
 * Makes the input with this number in the sequence a seed stands for, and has it judged.
 * @throws whatever a reader throws, and for a verdict that is none
 */
export async function judgeInput(seed: number, index: number): Promise<Outcome> {
  const random = new Random(seed, index);
  const judged = index % NESTED_ONE_IN === 0 ? 'dicom' : random.pick(FORMATS);
  const verdict = await JUDGES[judged](random, index);
  const format = verdict.kind ?? judged;
  if (verdict.ok) return { format, outcome: 'accepted' };
  const { rule, message, where } = verdict;
  if (MESSAGES[rule] !== message) throw new Error(`no rule has this message: ${rule}`);
  if (where !== undefined && !PLACE.test(where)) throw new Error(`no place: ${where}`);
  return { format, outcome: rule };
}

const JUDGES: Readonly<Record<Format, (random: Random, index: number) => Promise<Verdict>>> = {
  dicom: async (random, index) => {
    const nested = index % NESTED_ONE_IN === 0;
    const bytes = nested
      ? nestedDicom(NESTED_LEVELS, random)
      : mutate(random.pick(DICOM), random, random.pick(DICOM));
    const inspector = new DicomInspector();
    await feed(inspector, bytes, nested ? 1 << 16 : 1 + random.below(2000));
    return inspector.end();
  },

  zip: async (random) => {
    const bytes = random.chance(2)
      ? mutate(random.pick(ZIP), random, random.pick(ZIP))
      : composedZip(random, (content) => mutate(content, random, random.pick(DICOM)));
    const options = { blockBytes: 64 + random.below(4000), freeBytes: FREE_BYTES };
    const result = await openZip(bytesSource(bytes), options);
    if (!result.ok) return result;
    try {
      return await surveyArchive(result.archive);
    } finally {
      result.archive.close();
    }
  },

  nifti: async (random) => {
    const bytes = mutate(random.pick(NIFTI), random, random.pick(NIFTI));
    const inspector = new NiftiInspector(new InflateBudget(bytes.length, { freeBytes: FREE_BYTES }));
    await feed(inspector, bytes, 1 + random.below(400));
    return inspector.end();
  },

  gradients: (random) => {
    const [bval, bvec] = random.pick(GRADIENTS);
    const donor = random.pick([bval, bvec]);
    const changed = mutate(bvec, random, donor);
    const other = random.chance(2) ? bval : mutate(bval, random, donor);
    return Promise.resolve(readGradients(other, changed, 4));
  },

  document: async (random) => {
    const [own, sample] = random.pick(DOCUMENTS);
    const [other, donor] = random.pick(DOCUMENTS);
    const bytes = mutate(sample, random, donor);
    const kind = random.chance(10) ? other : own;
    return { ...(await inspectDocument(inChunks(bytes, 1 + random.below(600)), kind)), kind };
  },
};

async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  await Promise.resolve();
}

async function feed(
  inspector: { write(chunk: Uint8Array): void; readonly drained: Promise<unknown> | undefined },
  bytes: Buffer,
  chunkBytes: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    inspector.write(bytes.subarray(at, at + chunkBytes));
    if (inspector.drained) await inspector.drained;
  }
}
