import type { DataElement } from './data-dictionary.js';
import {
  isUndividedVr,
  type Reading,
  readValue,
  type SingleValue,
  withoutPadding,
} from './value-representation.js';

/** The value of an attribute: one, or a list where there are several. */
export type AttributeValue = SingleValue | readonly SingleValue[];

const problem = (words: string): { problem: string } => ({ problem: words });

/**
 * Reads the value of an attribute from JSON: a scalar, or a list where its multiplicity (PS3.5 section 6.4) allows
 * several. A list of one becomes a scalar. Only for attributes with one VR: others need the rest of the object.
 */
export function readAttributeValue(element: DataElement, input: unknown): Reading<AttributeValue> {
  const [vr] = element.vrs as [string];
  const { least, most, step } = multiplicityOf(element);
  const list = Array.isArray(input) ? (input as unknown[]) : [input];
  if (Array.isArray(input) && most === 1) return problem('takes one value, not a list');
  if (list.length === 0) return problem('must not be empty');
  if (list.length < least || list.length > most || (list.length - least) % step !== 0)
    return problem(`takes ${element.vm} values`);
  const values: SingleValue[] = [];
  for (const [index, item] of list.entries()) {
    const reading = readValue(vr, item);
    if (reading.value === undefined)
      return list.length === 1 ? reading : problem(`value ${index + 1} ${reading.problem}`);
    values.push(reading.value);
  }
  return { value: values.length === 1 ? values[0]! : values };
}

/** `2-2n` is two, four, six and so on. */
function multiplicityOf({ vrs, vm }: DataElement): { least: number; most: number; step: number } {
  const [least, most = least] = vm.split('-') as [string, string?];
  if (isUndividedVr(vrs[0]!)) return { least: 1, most: 1, step: 1 };
  if (!most.endsWith('n')) return { least: Number(least), most: Number(most), step: 1 };
  return { least: Number(least), most: Infinity, step: Number(most.slice(0, -1) || 1) };
}

/** Whether there is nothing in it: no text but padding, or a name without any component. */
export function isEmptyValue(vr: string, value: AttributeValue): boolean {
  return listOf(value).every((item) => canonical(vr, item) === '');
}

/**
 * Whether two values say the same: without their padding, names without the carets at their ends (PS3.5 section
 * 6.2.1.1), decimal and integer strings as numbers, dates and times also in the notation of ACR-NEMA.
 */
export function isSameValue(vr: string, one: AttributeValue, other: AttributeValue): boolean {
  const [a, b] = [listOf(one), listOf(other)];
  return a.length === b.length && a.every((item, index) => canonical(vr, item) === canonical(vr, b[index]!));
}

const listOf = (value: AttributeValue): readonly SingleValue[] =>
  typeof value === 'object' ? value : [value];

/** The form of a value in which those that say the same are equal. */
function canonical(vr: string, value: SingleValue): string {
  const text = withoutPadding(String(value)).normalize('NFC');
  switch (vr) {
    case 'PN':
      return canonicalName(text);
    case 'DA':
      return text.replace(/^(\d{4})\.(\d\d)\.(\d\d)$/, '$1$2$3');
    case 'TM':
      return withoutTrailingZeros(text.replace(/^(\d\d):(\d\d):(\d\d)/, '$1$2$3'));
    case 'DS':
    case 'FL':
    case 'FD':
      return text === '' || Number.isNaN(Number(text)) ? text : String(Number(text) + 0);
    case 'IS':
    case 'SV':
    case 'UV':
      return /^[+-]?\d{1,20}$/.test(text) ? String(BigInt(text.replace('+', ''))) : text;
    default:
      return text;
  }
}

function canonicalName(text: string): string {
  const groups = text.split('=').map((group) =>
    withoutLast(
      '^',
      group.split('^').map((component) => withoutPadding(component)),
    ),
  );
  return withoutLast('=', groups);
}

/** Joined, without the separators at the end that stand for nothing. */
function withoutLast(separator: string, parts: readonly string[]): string {
  let end = parts.length;
  while (end > 0 && parts[end - 1] === '') end--;
  return parts.slice(0, end).join(separator);
}

/** Of the fraction of a second. */
function withoutTrailingZeros(time: string): string {
  const [, whole, fraction] = /^(\d{6})\.(\d{1,6})$/.exec(time) ?? [];
  if (whole === undefined) return time;
  const digits = fraction!.replace(/0+$/, '');
  return digits === '' ? whole : `${whole}.${digits}`;
}
