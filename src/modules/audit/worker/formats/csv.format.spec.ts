import { expect, it } from '@jest/globals';
import { canonicalForm } from '../../audit.canonical.js';
import type { AuditRecord } from '../../audit.events.js';
import { csv } from './csv.format.js';

const event = (changes: Partial<AuditRecord>): AuditRecord => ({
  id: '01a22989-22be-7224-98ad-69a9560b654f',
  occurredAt: new Date('2026-11-29T10:11:12.013Z'),
  organizationId: '01a22989-22be-7224-98ad-69a9560b654e',
  actorKind: 'user',
  actorId: null,
  actorLabel: null,
  action: 'exams:read',
  outcome: 'success',
  resourceType: null,
  resourceId: null,
  patientRef: null,
  studyRef: null,
  requestId: null,
  traceId: null,
  ip: null,
  userAgent: null,
  scopes: [],
  detail: {},
  ...changes,
});

const lineOf = async (changes: Partial<AuditRecord>): Promise<string> => {
  const lines = Buffer.from(`${canonicalForm(event(changes))}\n`);
  const context = { source: 's', findStudies: () => Promise.resolve(new Map<string, string>()) };
  return String(await csv.write({ first: 7, count: 1, lines, ends: [lines.length] }, context));
};

it('has a field a column', async () => {
  const line = await lineOf({ scopes: ['a', 'b'], detail: { b: 1, a: 'x' } });
  expect(line).toBe(
    '7,01a22989-22be-7224-98ad-69a9560b654f,2026-11-29T10:11:12.013Z,01a22989-22be-7224-98ad-69a9560b654e,user,,,' +
      'exams:read,success,,,,,,,,,a b,"{""a"":""x"",""b"":1}"\r\n',
  );
});

it.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t'=1"],
  ['\r=1', `"'\r'=1"`],
  ["x;=cmd|'/C calc'!A0;y", "x;'=cmd|'/C calc'!A0;y"],
  ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
  ['a,b', '"a,b"'],
  ['a\nb', '"a\nb"'],
  ['1=1', '1=1'],
])('writes %j so that no spreadsheet runs it', async (userAgent, field) => {
  expect(await lineOf({ userAgent })).toContain(`,${field},,{}`);
});
