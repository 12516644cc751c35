import { describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import type { AuditRecord, DetailValue } from './audit.events.js';
import { canonicalForm, canonicalJson } from './audit.canonical.js';
import { anyRecord } from './audit-record.fixture.js';

const TEXTS = [
  '',
  'a',
  'aa',
  'B',
  '\u0000\u001f"\\/',
  '\u007f\u2028',
  'é',
  '漢',
  '\ue000',
  '😀',
  '__proto__',
  '10',
  '9',
  '1e3',
];

/** The same numbers each time (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function valueOf(random: (below: number) => number, depth: number): DetailValue {
  const kind = random(depth > 0 ? 7 : 5);
  if (kind === 0) return null;
  if (kind === 1) return random(2) === 0;
  if (kind === 2) return (random(2) ? 1 : -1) * random(2 ** 31) * (random(3) ? 1 : 2 ** 21);
  if (kind < 5) return TEXTS[random(TEXTS.length)]! + TEXTS[random(TEXTS.length)]!;
  const values = Array.from({ length: random(5) }, () => valueOf(random, depth - 1));
  if (kind === 5) return values;
  return Object.fromEntries(values.map((value) => [TEXTS[random(TEXTS.length)]!, value]));
}

/** What the form says, member by member: taken from the record by another hand than the one that writes the form. */
const membersOf = (record: AuditRecord): object => ({
  v: 1,
  id: record.id,
  time: record.occurredAt.toISOString(),
  organization: record.organizationId,
  actor: { kind: record.actorKind, id: record.actorId, label: record.actorLabel },
  action: record.action,
  outcome: record.outcome,
  resource: { type: record.resourceType, id: record.resourceId },
  patient: record.patientRef,
  study: record.studyRef,
  request: record.requestId,
  trace: record.traceId,
  ip: record.ip,
  agent: record.userAgent,
  scopes: record.scopes,
  detail: record.detail,
});

describe('the canonical form of an event', () => {
  it('is what the package makes of its members', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const form = canonicalForm(record);
        fc.pre(!/\\ud[89a-f]/.test(form)); // halves of surrogate pairs, which Postgres does not keep and the package refuses
        expect(form).toBe(canonicalize(membersOf(record)));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the canonical form of a detail', () => {
  it('is that of the package, whatever is in it', () => {
    const random = randomOf(20261129);
    for (let round = 0; round < 20_000; round++) {
      const detail = { value: valueOf(random, 4), more: valueOf(random, 3) };
      // As a jsonb comes: with blanks, which are members' and elements' only.
      const text = JSON.stringify(detail, null, 1).replace(/\n */g, ' ');
      expect(canonicalJson(JSON.parse(text))).toBe(canonicalize(JSON.parse(text)));
    }
  });

  it('of numbers that no double holds is not that of nothing', () => {
    expect(canonicalJson(JSON.parse('{"a": 1e400, "b": [-1e400]}'))).toBe('{"a":1e999,"b":[-1e999]}');
  });

  it('of none is none', () => {
    expect(canonicalJson({})).toBe('{}');
    expect(canonicalJson([])).toBe('[]');
  });
});
