import { type AttributeValue, isEmptyValue, isSameValue } from '../../formats/dicom/attribute-value.js';
import { findByKeyword } from '../../formats/dicom/data-dictionary.js';
import type { Overlay } from './overlay.js';

/** Where a value comes from, the strongest first. */
export type Origin = 'api' | 'sidecar' | 'tag';

/** What the objects themselves say: `attributes` of a DICOM header. */
export type TagAttributes = Readonly<Partial<Record<string, AttributeValue>>>;

/** The three sources of an order's or a study's attributes, by keyword. */
export interface AttributeSources {
  readonly api?: Overlay;
  readonly sidecar?: Overlay;
  readonly tags?: TagAttributes;
}

/** As GET /studies/{uid} shows it: `tag_value` is what the object says, where another origin prevails. */
export interface EffectiveAttribute {
  readonly value: AttributeValue;
  readonly origin: Origin;
  readonly tag_value?: AttributeValue;
}

export type EffectiveAttributes = Readonly<Record<string, EffectiveAttribute>>;

export interface OverlayConflict {
  readonly attribute: string;
  readonly origin: Exclude<Origin, 'tag'>;
  readonly value: AttributeValue;
  readonly tag_value: AttributeValue;
}

/** What holds for each attribute: the API's value over the sidecar's over the tag's, by keyword in its order. */
export function effectiveAttributes({
  api = {},
  sidecar = {},
  tags = {},
}: AttributeSources): EffectiveAttributes {
  const keywords = [...new Set([api, sidecar, tags].flatMap((values) => Object.keys(values)))].sort();
  const effective: Record<string, EffectiveAttribute> = {};
  for (const keyword of keywords) {
    const tag = tags[keyword];
    const shadowed = tag === undefined ? {} : { tag_value: tag };
    if (api[keyword] !== undefined) effective[keyword] = { value: api[keyword], origin: 'api', ...shadowed };
    else if (sidecar[keyword] !== undefined)
      effective[keyword] = { value: sidecar[keyword], origin: 'sidecar', ...shadowed };
    else if (tag !== undefined) effective[keyword] = { value: tag, origin: 'tag' };
  }
  return effective;
}

/** The attributes of which the overlay says something else than the object, its notation aside. */
export function overlayConflicts(effective: EffectiveAttributes): OverlayConflict[] {
  const conflicts: OverlayConflict[] = [];
  for (const [attribute, { value, origin, tag_value }] of Object.entries(effective)) {
    if (origin === 'tag' || tag_value === undefined) continue;
    if (!isSameValue(vrOf(attribute), value, tag_value))
      conflicts.push({ attribute, origin, value, tag_value });
  }
  return conflicts;
}

/** Those of the required keywords that nothing gives a value to, in the order they are required. */
export function missingRequired(required: readonly string[], effective: EffectiveAttributes): string[] {
  return required.filter((keyword) => {
    const attribute = Object.hasOwn(effective, keyword) ? effective[keyword] : undefined;
    return attribute === undefined || isEmptyValue(vrOf(keyword), attribute.value);
  });
}

const vrOf = (keyword: string): string => findByKeyword(keyword)?.vrs[0] ?? 'UN';
