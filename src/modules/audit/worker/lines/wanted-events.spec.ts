import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalForm } from '../../audit.canonical.js';
import type { AuditRecord } from '../../audit.events.js';
import { anyRecord, FIELDS } from '../../audit-record.fixture.js';
import type { EventFilter } from '../../event.filter.js';
import type { Lines } from './tree-lines.js';
import { type EventRun, WantedEvents } from './wanted-events.js';

const FIRST = 11;

function linesOf(records: readonly AuditRecord[]): Lines {
  const lines = records.map((record) => Buffer.from(`${canonicalForm(record)}\n`));
  let end = 0;
  return { first: FIRST, bytes: Buffer.concat(lines), ends: lines.map(({ length }) => (end += length)) };
}

/** Position and form of each event. */
const eventsIn = (runs: readonly EventRun[]): [number, string][] =>
  runs.flatMap(({ first, count, lines }) => {
    const forms = lines.toString().split('\n');
    expect(forms.pop()).toBe('');
    expect(forms).toHaveLength(count);
    return forms.map((form, index): [number, string] => [first + index, form]);
  });

const MEMBERS = Object.keys(FIELDS) as (keyof EventFilter)[];

/** What some of the events have, or nobody. */
const filterOf = (records: readonly AuditRecord[]) =>
  fc
    .subarray(MEMBERS, { maxLength: 3 })
    .chain((members) =>
      fc.record(
        Object.fromEntries(
          members.map((member) => [
            member,
            fc.constantFrom('nobody', ...records.flatMap((record) => record[FIELDS[member]] ?? [])),
          ]),
        ),
      ),
    );

const asked = fc.array(anyRecord, { minLength: 1, maxLength: 12 }).chain((records) => {
  const times = records.map(({ occurredAt }) => occurredAt);
  return fc.record({
    records: fc.constant(records),
    next: fc.integer({ min: FIRST - 2, max: FIRST + 12 }),
    until: fc.integer({ min: FIRST - 2, max: FIRST + 14 }),
    from: fc.constantFrom(null, ...times),
    to: fc.constantFrom(null, ...times),
    filter: filterOf(records),
  });
});

describe('the events that are wanted', () => {
  it('are those of the interval and the filter, whatever is in them', () => {
    fc.assert(
      fc.property(asked, ({ records, filter, ...interval }) => {
        const { next, until, from, to } = interval;
        const expected = records.flatMap((record, index): [number, string][] => {
          const position = FIRST + index;
          const wanted =
            position >= next &&
            position < until &&
            (!from || record.occurredAt >= from) &&
            (!to || record.occurredAt < to) &&
            Object.entries(filter).every(
              ([member, value]) => record[FIELDS[member as keyof EventFilter]] === value,
            );
          return wanted ? [[position, canonicalForm(record)]] : [];
        });
        const wanted = new WantedEvents({ ...interval, filter: filter as EventFilter });
        expect(eventsIn(wanted.runsOf(linesOf(records)))).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are passed on in the memory they lie in when all are', () => {
    const lines = linesOf([1, 2, 3].map(() => fc.sample(anyRecord, 1)[0]!));
    const wanted = new WantedEvents({ next: 1, until: 100, from: null, to: null, filter: {} });
    const [run, ...others] = wanted.runsOf(lines);
    expect(others).toEqual([]);
    expect(run!.lines).toBe(lines.bytes);
  });
});
