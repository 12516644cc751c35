import fc from 'fast-check';
import type { AuditRecord, DetailValue } from './audit.events.js';
import type { EventFilter } from './event.filter.js';

/** What a filter's members are about: by another hand than `whereEvent`. */
export const FIELDS = {
  actor_kind: 'actorKind',
  actor_id: 'actorId',
  action: 'action',
  outcome: 'outcome',
  resource_type: 'resourceType',
  resource_id: 'resourceId',
  patient: 'patientRef',
  study: 'studyRef',
  request_id: 'requestId',
} as const satisfies Record<keyof EventFilter, keyof AuditRecord>;

export const record = (changes: Partial<AuditRecord> = {}): AuditRecord => ({
  id: '0197c0de-0000-7000-8000-000000000001',
  occurredAt: new Date('2026-11-29T12:34:56.789Z'),
  organizationId: '0197c0de-0000-7000-8000-00000000000a',
  actorKind: 'client',
  actorId: '0197c0de-0000-7000-8000-00000000000c',
  actorLabel: 'RIS & PACS',
  action: 'studies:read',
  outcome: 'success',
  resourceType: 'Study',
  resourceId: '0197c0de-0000-7000-8000-00000000000d',
  patientRef: '0197c0de-0000-7000-8000-00000000000e',
  studyRef: '0197c0de-0000-7000-8000-00000000000d',
  requestId: '0197c0de-0000-7000-8000-00000000000f',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  ip: '192.0.2.7',
  userAgent: 'curl/8',
  scopes: ['studies:read'],
  detail: { series: 3 },
  ...changes,
});

/** Any text there is: quotes, markup, control characters and halves of surrogate pairs among it. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc
    .array(
      fc.constantFrom(
        '<',
        '&',
        '"',
        "'",
        ']]>',
        '\u0000',
        '\u001b',
        '\n',
        '\t',
        '\r',
        '\ud800',
        '\udfff',
        '\ufffe',
      ),
      {
        maxLength: 6,
      },
    )
    .map((parts) => parts.join('')),
);

/** Any event the ledger could hold, and some it could not. */
export const anyRecord: fc.Arbitrary<AuditRecord> = fc.record({
  id: fc.uuid(),
  occurredAt: fc.date({ min: new Date(0), max: new Date('2099-01-01'), noInvalidDate: true }),
  organizationId: fc.uuid(),
  actorKind: fc.constantFrom('client', 'api_key', 'user', 'share_link', 'anonymous', 'system'),
  actorId: fc.option(anyText),
  actorLabel: fc.option(anyText),
  action: fc.oneof(
    fc.constantFrom('studies:read', 'users:list', 'files:upload', 'files:download', 'audit:list-events'),
    fc.stringMatching(/^[a-z]{1,9}:[a-z-]{1,9}$/),
  ),
  outcome: fc.constantFrom('success', 'denied', 'failure'),
  resourceType: fc.option(fc.constantFrom('Study', 'Exam', 'User', 'Organization', 'Unheard')),
  resourceId: fc.option(fc.uuid()),
  patientRef: fc.option(fc.uuid()),
  studyRef: fc.option(fc.uuid()),
  requestId: fc.option(fc.uuid()),
  traceId: fc.option(anyText),
  ip: fc.option(fc.ipV6()),
  userAgent: fc.option(anyText),
  scopes: fc.array(fc.constantFrom('studies:read', 'files:write')),
  detail: fc.dictionary(
    anyText,
    fc.oneof(anyText, fc.integer(), fc.boolean(), fc.constant(null)),
  ) as fc.Arbitrary<DetailValue>,
});
