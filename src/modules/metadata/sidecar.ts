import { readPatch } from './metadata-patch.js';
import { MAX_METADATA_BYTES } from './metadata-size.js';
import { applyMergePatch, type Overlay } from './overlay.js';
import { keywordOf } from './overlayable.js';

/** Why a sidecar is refused, and with it what it came with: the code never changes, the words are safe to show. */
export const SIDECAR_RULES = {
  'metadata.sidecar':
    'metadata.json is not a JSON object of DICOM keywords or tags and legal values, in UTF-8 and at most 64 KiB.',
} as const;

export type SidecarRule = keyof typeof SIDECAR_RULES;

export type SidecarReading =
  | { readonly ok: true; readonly overlay: Overlay }
  | {
      readonly ok: false;
      readonly rule: SidecarRule;
      readonly message: string;
      /** The first attribute that is refused, by keyword, or by its position where it has none. Never a value. */
      readonly where?: string;
    };

/**
 * Reads `metadata.json`, which comes with the objects it describes: the same names and values as in a patch. A null,
 * which has nothing to remove here, is passed over, and so is a byte order mark.
 */
export function parseSidecar(bytes: Uint8Array): SidecarReading {
  if (bytes.length > MAX_METADATA_BYTES) return refusal();
  const input = parseJson(bytes);
  const { patch, problems } = readPatch(input);
  const [first] = problems;
  if (first === undefined) return { ok: true, overlay: applyMergePatch({}, patch) };
  if (first.path === '') return refusal();
  // A name that DICOM does not know may be anything, a patient's own for one.
  const position = Object.keys(input as object).indexOf(first.path) + 1;
  return refusal(keywordOf(first.path) ?? `attribute ${position}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function refusal(where?: string): SidecarReading {
  const rule = 'metadata.sidecar';
  return { ok: false, rule, message: SIDECAR_RULES[rule], ...(where !== undefined && { where }) };
}
