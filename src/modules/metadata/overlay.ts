import type { AttributeValue } from '../../formats/dicom/attribute-value.js';
import { metadataTooLarge } from './metadata.errors.js';
import type { MetadataPatch } from './metadata-patch.js';
import { MAX_ATTRIBUTES, MAX_METADATA_BYTES, metadataBytes } from './metadata-size.js';

/** Values by keyword that stand for those of an object's attributes, whose bytes never change. */
export type Overlay = Readonly<Record<string, AttributeValue>>;

/**
 * Applies a JSON Merge Patch (RFC 7396) to an overlay; neither argument is changed. Values are replaced whole, lists
 * included. The attributes of the result are in the order of their keywords, so that equal overlays look equal.
 * @throws metadata_too_large when the patch leaves more than one patch may hold
 */
export function applyMergePatch(current: Overlay, patch: MetadataPatch): Overlay {
  const overlay = merge(current, patch);
  if (!fits(overlay)) throw metadataTooLarge();
  return overlay;
}

/** Whether the patch can be applied to the overlay. */
export const fitsOver = (current: Overlay, patch: MetadataPatch): boolean => fits(merge(current, patch));

function merge(current: Overlay, patch: MetadataPatch): Overlay {
  const merged = new Map<string, AttributeValue>(Object.entries(current));
  for (const [keyword, value] of Object.entries(patch)) {
    if (value === null) merged.delete(keyword);
    else merged.set(keyword, value);
  }
  return Object.fromEntries([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const fits = (overlay: Overlay): boolean =>
  Object.keys(overlay).length <= MAX_ATTRIBUTES && metadataBytes(overlay) <= MAX_METADATA_BYTES;
