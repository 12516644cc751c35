import { type AttributeValue, readAttributeValue } from '../../formats/dicom/attribute-value.js';
import type { Reading } from '../../formats/dicom/value-representation.js';
import { type ErrorDetail, validationError } from '../../platform/errors/application-error.js';
import { MAX_ATTRIBUTES, MAX_METADATA_BYTES, metadataBytes } from './metadata-size.js';
import { nameAttribute } from './overlayable.js';

/** A change of an overlay: null takes a value away, so that the object's own shows again. */
export type MetadataPatch = Readonly<Record<string, AttributeValue | null>>;

/** What is wrong with one name or value. `path` is the name as it was given. */
export interface MetadataProblem extends ErrorDetail {
  /** The attribute, where it is the value that is wrong and not the name. */
  keyword?: string;
}

/** Values by keyword, whichever way they were named, and all that is wrong: with a problem, nothing of it counts. */
export interface PatchReading {
  readonly patch: MetadataPatch;
  readonly problems: readonly MetadataProblem[];
}

const MUST_BE_OBJECT = 'must be a JSON object of DICOM keywords or tags and their values';
const TOO_LONG = `must have at most ${MAX_METADATA_BYTES} bytes`;

/**
 * Reads a JSON Merge Patch whose names are keywords of DICOM or tags of eight hexadecimal digits. Values are checked by
 * their VR and multiplicity; null stands for the removal of one. Any input is answered, however deep it is nested.
 */
export function readPatch(input: unknown): PatchReading {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return refuse(MUST_BE_OBJECT);
  const entries = Object.entries(input);
  if (entries.length > MAX_ATTRIBUTES) return refuse(`must have at most ${MAX_ATTRIBUTES} attributes`);
  if (metadataBytes(input as Record<string, unknown>) > MAX_METADATA_BYTES) return refuse(TOO_LONG);

  const patch = new Map<string, AttributeValue | null>();
  const problems: MetadataProblem[] = [];
  for (const [path, value] of entries) {
    const named = nameAttribute(path);
    if (named.element === undefined) {
      problems.push({ path, message: named.problem });
      continue;
    }
    const { keyword } = named.element;
    const reading: Reading<AttributeValue | null> =
      value === null ? { value } : readAttributeValue(named.element, value);
    if (patch.has(keyword)) problems.push({ path, keyword, message: 'is given twice' });
    else if (reading.value === undefined) problems.push({ path, keyword, message: reading.problem });
    patch.set(keyword, reading.value ?? null);
  }
  const result = Object.fromEntries(patch);
  // Keywords are longer than the tags that may have stood for them.
  return metadataBytes(result) > MAX_METADATA_BYTES ? refuse(TOO_LONG) : { patch: result, problems };
}

/** @throws validation_error with a detail for each attribute that is refused */
export function parsePatch(input: unknown): MetadataPatch {
  const { patch, problems } = readPatch(input);
  if (problems.length > 0) throw validationError(problems.map(({ path, message }) => ({ path, message })));
  return patch;
}

function refuse(message: string): PatchReading {
  return { patch: {}, problems: [{ path: '', message }] };
}
