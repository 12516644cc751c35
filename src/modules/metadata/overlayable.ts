import {
  type DataElement,
  findByKeyword,
  findByTag,
  tagFromHex,
} from '../../formats/dicom/data-dictionary.js';
import { groupOf, isPrivate, type Tag } from '../../formats/dicom/tag.js';
import { isBulkVr } from '../../formats/dicom/value-representation.js';

/** An attribute that metadata may give a value to, or why the name in a request is not that of one. */
export type NamedAttribute =
  { readonly element: DataElement } | { readonly element?: undefined; readonly problem: string };

const SPECIFIC_CHARACTER_SET = 0x00080005;

/**
 * Looks up a keyword (PS3.6) or a tag of eight hexadecimal digits, of either case, and refuses what would make metadata
 * name other objects or read other pixels than there are: UIDs, what describes pixels, waveforms, and the encoding.
 */
export function nameAttribute(name: string): NamedAttribute {
  const tag = tagFromHex(name);
  const structural = tag === undefined ? undefined : structuralProblem(tag);
  if (structural !== undefined) return { problem: structural };
  const element = tag === undefined ? findByKeyword(name) : findByTag(tag);
  if (element === undefined)
    return {
      problem:
        tag === undefined
          ? 'is neither a keyword of DICOM nor a tag of 8 hexadecimal digits'
          : 'is not a tag that DICOM knows',
    };
  const problem = structuralProblem(element.tag) ?? problemOf(element);
  return problem === undefined ? { element } : { problem };
}

/** The keyword that a keyword or tag stands for, be it one that metadata may have or not. */
export function keywordOf(name: string): string | undefined {
  const tag = tagFromHex(name);
  return (tag === undefined ? findByKeyword(name) : findByTag(tag))?.keyword;
}

/** By the number alone. */
function structuralProblem(tag: Tag): string | undefined {
  const group = groupOf(tag);
  if (isPrivate(tag)) return 'is private';
  if ((tag & 0xffff) === 0) return 'is the length of a group';
  if (group < 0x0008 || group >= 0xfffa) return 'is no attribute of a data set';
  if (describesPixels(tag)) return 'describes pixels or waveforms, which metadata cannot change';
  return undefined;
}

function problemOf({ tag, vrs }: DataElement): string | undefined {
  if (vrs.includes('UI')) return 'is a UID, which metadata cannot change';
  if (vrs.some(isBulkVr)) return 'holds a sequence or bytes, which metadata cannot';
  if (vrs.length > 1) return 'describes pixels or waveforms, which metadata cannot change';
  if (tag === SPECIFIC_CHARACTER_SET) return 'says how the object is encoded, which metadata cannot change';
  return undefined;
}

/**
 * Group 0028 but for the four statements on quality and privacy of the image; curves (50xx), waveforms (5400),
 * spectroscopy (5600), overlays (60xx) and all the groups that hold pixels (7Fxx).
 */
function describesPixels(tag: Tag): boolean {
  const group = groupOf(tag);
  if (group === 0x0028) return tag < 0x00280300 || tag > 0x00280303;
  const range = group >>> 8;
  return range === 0x50 || range === 0x60 || range === 0x7f || group === 0x5400 || group === 0x5600;
}
