import type { AuditRecord } from '../../audit.events.js';
import { recordOf } from '../../canonical.record.js';
import { type EventFilter, whereEvent } from '../../event.filter.js';
import { timeAt } from './months.js';
import type { Lines } from './tree-lines.js';

/** Events one behind the other in an organization's ledger, as `canonicalForm` gives them, with a line end behind each. */
export interface EventRun {
  /** Position of the first one. */
  first: number;
  count: number;
  lines: Buffer;
  /** Where each line ends, behind its line end. */
  ends: readonly number[];
}

/** What an export is asked for. Positions and times are half-open. */
export interface Wanted {
  next: number;
  until: number;
  from: Date | null;
  to: Date | null;
  filter: EventFilter;
}

/** Tells the events that are wanted, by what is sealed of them. */
export class WantedEvents {
  private readonly from: number;
  private readonly to: number;
  private readonly members: [member: keyof AuditRecord, value: string][];
  /** What stands somewhere in the form of an event that is wanted. */
  private readonly texts: Buffer[];

  constructor(private readonly wanted: Wanted) {
    this.from = wanted.from?.getTime() ?? -Infinity;
    this.to = wanted.to?.getTime() ?? Infinity;
    const members = Object.entries(whereEvent(wanted.filter)) as [keyof AuditRecord, string | undefined][];
    this.members = members.filter((member): member is [keyof AuditRecord, string] => member[1] !== undefined);
    this.texts = this.members.map(([, value]) => Buffer.from(JSON.stringify(value)));
  }

  isWithin(time: Date): boolean {
    return time.getTime() >= this.from && time.getTime() < this.to;
  }

  runsOf({ first, bytes, ends }: Lines): EventRun[] {
    const { next, until } = this.wanted;
    const { from, to, texts } = this;
    const whole = first >= next && first + ends.length <= until;
    if (whole && from === -Infinity && to === Infinity && texts.length === 0)
      return [{ first, count: ends.length, lines: bytes, ends }];
    if (!texts.every((text) => bytes.includes(text))) return [];
    const runs: EventRun[] = [];
    let began: number | undefined;
    const end = (behind: number): void => {
      if (began !== undefined) {
        const start = ends[began - 1] ?? 0;
        runs.push({
          first: first + began,
          count: behind - began,
          lines: bytes.subarray(start, ends[behind - 1]),
          ends: ends.slice(began, behind).map((at) => at - start),
        });
      }
      began = undefined;
    };
    for (let index = 0; index < ends.length; index++) {
      const position = first + index;
      const form = bytes.subarray(ends[index - 1] ?? 0, ends[index]! - 1);
      if (position >= next && position < until && this.wants(form)) began ??= index;
      else end(index);
    }
    end(ends.length);
    return runs;
  }

  private wants(form: Buffer): boolean {
    if (!this.texts.every((text) => form.includes(text))) return false;
    const time = timeOf(form);
    if (!(time >= this.from && time < this.to)) return false;
    if (this.members.length === 0) return true;
    const event = recordOf(form.toString());
    return this.members.every(([member, value]) => event[member] === value);
  }
}

/** In milliseconds since 1970. */
function timeOf(form: Buffer): number {
  const at = timeAt(form, form.length);
  return Date.parse(form.toString('latin1', at, form.indexOf('"', at)));
}
