import { headJson, headLineSchema, headOf, signedOf } from './export.manifest.js';
import type { SealHead, Signed } from './seal.js';

/** Where heads lie in the bucket. */
export const ANCHORS = 'seals/';

/** The key of a head in the bucket: in the order of the numbers. */
export const anchorKey = (seal: number): string => `${ANCHORS}${String(seal).padStart(16, '0')}.json`;

/** The number of the head under a key; undefined when it is not one of ours. */
export function anchorNumber(key: string): number | undefined {
  const [, digits] = /^seals\/(\d{16})\.json$/.exec(key) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** A head as it is taken out of the database: the same bytes each time. */
export const anchorText = (head: SealHead & Signed): string => `${JSON.stringify(headJson(head))}\n`;

const anchorSchema = headLineSchema.omit({ newest: true });

/** Reads what lies in the bucket, whoever put it there; undefined when it is no head. */
export function parseAnchor(text: string): (SealHead & Signed) | undefined {
  try {
    const { success, data } = anchorSchema.safeParse(JSON.parse(text));
    return success ? { ...headOf(data), ...signedOf(data) } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Largest anchor that is read, in bytes. */
export const MAX_ANCHOR_BYTES = 4096;
