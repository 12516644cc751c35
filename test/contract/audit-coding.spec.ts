import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { record } from '../../src/modules/audit/audit-record.fixture.js';
import { toDicomXml } from '../../src/modules/audit/dicom-audit-message.js';
import { parseXml, schemaProblems } from '../../src/modules/audit/dicom-audit-message.fixture.js';
import { codingOf, isCodedArea } from '../../src/modules/audit/event.coding.js';
import { toFhir } from '../../src/modules/audit/fhir-audit-event.js';
import { fhirAuditEvent } from '../../src/modules/audit/fhir-audit-event.fixture.js';
import { allOperations } from '../../src/platform/authorization/operations.js';

const SOURCE = new URL('../../src/', import.meta.url);
const files = (readdirSync(SOURCE, { recursive: true }) as string[]).filter((name) => name.endsWith('.ts'));
const context = { source: 'here', studyUids: new Map<string, string>() };

let actions: string[];

beforeAll(async () => {
  for (const name of files.filter((each) => each.endsWith('.policy.ts')))
    await import(`../../src/${name.replace(/\.ts$/, '.js')}`);
  // What the system does by itself is named where its detail is, or where it is written.
  const written = files
    .filter((name) => name.startsWith('modules/') && !/\.(spec|fixture)\.ts$/.test(name))
    .flatMap((name) => [
      ...readFileSync(new URL(name, SOURCE), 'utf8').matchAll(/action: '([a-z-]+:[a-z-]+)'/g),
    ])
    .map(([, action]) => action!);
  const detailed = files
    .filter((name) => name.endsWith('.events.ts'))
    .flatMap((name) => [
      ...readFileSync(new URL(name, SOURCE), 'utf8').matchAll(/^ {2,4}'([a-z-]+:[a-z-]+)':/gm),
    ])
    .map(([, action]) => action!);
  actions = [...new Set([...allOperations().map(({ name }) => name), ...written, ...detailed])].sort();
});

describe('every operation, and everything the system does by itself', () => {
  it('is there to be asked for', () => {
    expect(actions.length).toBeGreaterThan(120);
    for (const one of ['uploads:expire', 'organizations:purged', 'sign-in:deliver-code', 'audit:list-events'])
      expect(actions).toContain(one);
  });

  it('is of an area the table of codes knows', () =>
    expect(actions.filter((action) => !isCodedArea(action))).toEqual([]));

  it('is Application Activity only where it is of no interest to anybody', () =>
    expect(
      actions.filter(
        (action) =>
          codingOf(action).event.meaning === 'Application Activity' && !action.startsWith('system:'),
      ),
    ).toEqual([]));

  it('is a valid DICOM audit message and a valid FHIR AuditEvent, whatever its outcome', () => {
    for (const action of actions)
      for (const outcome of ['success', 'denied', 'failure']) {
        const event = record({ action, outcome });
        expect({ action, problems: schemaProblems(parseXml(toDicomXml(event, context))) }).toEqual({
          action,
          problems: [],
        });
        expect(fhirAuditEvent.safeParse(toFhir(event, context)).error).toBeUndefined();
      }
  });
});
