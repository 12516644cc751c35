import { DATA_ELEMENTS } from './data-dictionary.data.js';
import type { Tag } from './tag.js';

/**
 * One attribute of PS3.6. The reader and the writer do without this registry: for the few attributes they know,
 * dictionary.ts has keys that the compiler checks.
 */
export interface DataElement {
  readonly tag: Tag;
  readonly keyword: string;
  /** Most have one; which of several is used depends on other attributes, such as Pixel Representation. */
  readonly vrs: readonly string[];
  /** Value multiplicity as the standard writes it: `1`, `1-n`, `2-2n`, `4-5` (PS3.5 section 6.4). */
  readonly vm: string;
}

interface Registry {
  readonly byKeyword: ReadonlyMap<string, string>;
  readonly byHex: ReadonlyMap<string, string>;
}

let registry: Registry | undefined;

/** Finds the lines when first needed, in a few milliseconds: most processes never do. What is on them waits. */
function lines(): Registry {
  if (registry !== undefined) return registry;
  const byKeyword = new Map<string, string>();
  const byHex = new Map<string, string>();
  for (const line of DATA_ELEMENTS.trim().split('\n')) {
    byKeyword.set(line.slice(line.lastIndexOf(' ') + 1), line);
    byHex.set(line.slice(0, 8), line);
  }
  return (registry = { byKeyword, byHex });
}

function elementFrom(line: string | undefined): DataElement | undefined {
  if (line === undefined) return undefined;
  const [hex, vrs, vm, keyword] = line.split(' ') as [string, string, string, string];
  return { tag: parseInt(hex, 16), keyword, vrs: vrs.split('|'), vm };
}

export function findByKeyword(keyword: string): DataElement | undefined {
  return elementFrom(lines().byKeyword.get(keyword));
}

/** Repeating groups (50xx, 60xx) and private attributes are not listed. */
export function findByTag(tag: Tag): DataElement | undefined {
  return elementFrom(lines().byHex.get(hexFromTag(tag)));
}

export function hexFromTag(tag: Tag): string {
  return tag.toString(16).toUpperCase().padStart(8, '0');
}

/** `0010001F`: eight hexadecimal digits, as the DICOM JSON Model writes a tag (PS3.18 section F.2.2), of either case. */
export function tagFromHex(text: string): Tag | undefined {
  return /^[\dA-Fa-f]{8}$/.test(text) ? parseInt(text, 16) : undefined;
}
