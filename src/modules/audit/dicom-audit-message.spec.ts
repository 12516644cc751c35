import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyRecord, record } from './audit-record.fixture.js';
import { toDicomXml } from './dicom-audit-message.js';
import {
  childrenNamed,
  detailsIn,
  parseXml,
  schemaProblems,
  type XmlElement,
} from './dicom-audit-message.fixture.js';
import type { AuditRecord } from './audit.events.js';

const UID = '1.2.826.0.1.3680043.10.1';
const STUDY = record().studyRef!;
const context = { source: 'https://scandock.example', studyUids: new Map([[STUDY, UID]]) };
const written = (event: AuditRecord): XmlElement => parseXml(toDicomXml(event, context));
const only = (element: XmlElement, name: string): XmlElement => {
  const found = childrenNamed(element, name);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const objectIds = (message: XmlElement) =>
  childrenNamed(message, 'ParticipantObjectIdentification').map((object) => [
    object.attributes.ParticipantObjectID,
    object.attributes.ParticipantObjectTypeCode,
    object.attributes.ParticipantObjectTypeCodeRole,
    only(object, 'ParticipantObjectIDTypeCode').attributes['csd-code'],
  ]);

describe('an event as a DICOM audit message', () => {
  it('is what the standard writes', () => {
    expect(toDicomXml(record({ actorLabel: null, requestId: null, traceId: null }), context)).toBe(
      '<AuditMessage><EventIdentification EventActionCode="R" EventDateTime="2026-11-29T12:34:56.789Z" EventOutcomeIndicator="0">' +
        '<EventID csd-code="110103" codeSystemName="DCM" originalText="DICOM Instances Accessed"/>' +
        '<EventTypeCode csd-code="studies:read" codeSystemName="Scandock" originalText="studies:read"/>' +
        '<EventOutcomeDescription>success</EventOutcomeDescription></EventIdentification>' +
        '<ActiveParticipant UserID="0197c0de-0000-7000-8000-00000000000c" UserIsRequestor="true" NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2">' +
        '<RoleIDCode csd-code="110156" codeSystemName="DCM" originalText="Initiator Role ID"/>' +
        '<RoleIDCode csd-code="client" codeSystemName="Scandock" originalText="client"/></ActiveParticipant>' +
        '<ActiveParticipant UserID="https://scandock.example" UserIsRequestor="false">' +
        '<RoleIDCode csd-code="110150" codeSystemName="DCM" originalText="Application"/></ActiveParticipant>' +
        '<AuditSourceIdentification AuditEnterpriseSiteID="0197c0de-0000-7000-8000-00000000000a" AuditSourceID="https://scandock.example">' +
        '<AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification>' +
        '<ParticipantObjectIdentification ParticipantObjectID="0197c0de-0000-7000-8000-00000000000e" ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1">' +
        '<ParticipantObjectIDTypeCode csd-code="2" codeSystemName="RFC-3881" originalText="Patient Number"/>' +
        '<ParticipantObjectName>Patient</ParticipantObjectName></ParticipantObjectIdentification>' +
        `<ParticipantObjectIdentification ParticipantObjectID="${UID}" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="3">` +
        '<ParticipantObjectIDTypeCode csd-code="110180" codeSystemName="DCM" originalText="Study Instance UID"/>' +
        '<ParticipantObjectName>Study</ParticipantObjectName></ParticipantObjectIdentification>' +
        '<ParticipantObjectIdentification ParticipantObjectID="0197c0de-0000-7000-8000-000000000001" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="13">' +
        '<ParticipantObjectIDTypeCode csd-code="AuditEvent" codeSystemName="Scandock" originalText="Audit event ID"/>' +
        '<ParticipantObjectName>studies:read</ParticipantObjectName>' +
        '<ParticipantObjectDetail type="organization" value="MDE5N2MwZGUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDBh"/>' +
        '<ParticipantObjectDetail type="agent" value="Y3VybC84"/>' +
        '<ParticipantObjectDetail type="resource" value="U3R1ZHk="/>' +
        '<ParticipantObjectDetail type="scopes" value="c3R1ZGllczpyZWFk"/>' +
        '<ParticipantObjectDetail type="detail.series" value="Mw=="/>' +
        '</ParticipantObjectIdentification></AuditMessage>',
    );
  });

  it('is valid and well-formed whatever the ledger holds, and says all of it', () => {
    fc.assert(
      fc.property(anyRecord, (event) => {
        const message = written(event);
        expect(schemaProblems(message)).toEqual([]);
        const own = childrenNamed(message, 'ParticipantObjectIdentification').at(-1)!;
        expect(own.attributes.ParticipantObjectID).toBe(event.id);
        const details = detailsIn(own);
        for (const [name, value] of Object.entries(event.detail as Record<string, unknown>))
          if (/^[ -~]*$/.test(name) && typeof value !== 'string')
            expect(details[`detail.${name}`]).toBe(JSON.stringify(value));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps every character XML can carry, and replaces the others', () => {
    const label = `<&">'\t\n\r ]]> é 🩻`;
    const [actor] = childrenNamed(
      written(record({ actorLabel: `${label}\u0000\u001b\ud800\ufffe` })),
      'ActiveParticipant',
    );
    expect(actor!.attributes.UserName).toBe(`${label}\ufffd\ufffd\ufffd\ufffd`);
  });

  it('tells a study of which no UID is known by the id of its row', () =>
    expect(objectIds(parseXml(toDicomXml(record(), { ...context, studyUids: new Map() })))[1]).toEqual([
      STUDY,
      '2',
      '3',
      'Study',
    ]));

  it('names the resource beside patient and study', () =>
    expect(objectIds(written(record({ resourceType: 'Exam', resourceId: 'e' })))).toEqual([
      [record().patientRef, '1', '1', '2'],
      [UID, '2', '3', '110180'],
      ['e', '2', '3', 'Exam'],
      [record().id, '2', '13', 'AuditEvent'],
    ]));

  it('names the medium of an export and an import, and which way a transfer went', () => {
    const roles = (action: string) =>
      childrenNamed(written(record({ action })), 'ActiveParticipant').map((participant) =>
        childrenNamed(participant, 'RoleIDCode')
          .filter(({ attributes }) => attributes.codeSystemName === 'DCM')
          .map(({ attributes }) => attributes['csd-code']),
      );
    expect(roles('files:download')).toEqual([['110156'], ['110150', '110153'], ['110152', '110154']]);
    expect(roles('files:upload')).toEqual([['110156'], ['110150', '110152'], ['110153', '110155']]);
    expect(roles('uploads:land')).toEqual([
      ['110156', '110153'],
      ['110150', '110152'],
    ]);
  });

  it('has of a query the query, and of a look at the log the log', () => {
    const query = childrenNamed(
      written(record({ action: 'users:list' })),
      'ParticipantObjectIdentification',
    ).at(-1)!;
    expect(query.attributes.ParticipantObjectTypeCodeRole).toBe('24');
    expect(JSON.parse(Buffer.from(only(query, 'ParticipantObjectQuery').text, 'base64').toString())).toEqual({
      action: 'users:list',
      detail: { series: 3 },
    });
    expect(objectIds(written(record({ action: 'audit:list-events' })))[0]).toEqual([
      `urn:scandock:audit:${record().organizationId}`,
      '2',
      '13',
      '12',
    ]);
  });

  it.each([
    ['success', '0'],
    ['denied', '4'],
    ['failure', '8'],
  ])('tells %s', (outcome, code) =>
    expect(only(written(record({ outcome })), 'EventIdentification').attributes.EventOutcomeIndicator).toBe(
      code,
    ),
  );
});

describe('the schema these tests hold it to', () => {
  it.each([
    ['an attribute that is not of it', '<AuditMessage>', '<AuditMessage x="1">'],
    [
      'an element out of place',
      '<EventOutcomeDescription>',
      '<EventOutcomeDescription/><EventOutcomeDescription>',
    ],
    ['a code that is none', 'EventActionCode="R"', 'EventActionCode="X"'],
    ['an attribute that is missing', ' AuditSourceID="https://scandock.example"', ''],
    ['a detail that is not base64', 'value="Mw=="', 'value="Mw="'],
  ])('finds %s', (_, from, to) => {
    const xml = toDicomXml(record(), context);
    expect(xml).toContain(from);
    expect(schemaProblems(parseXml(xml.replace(from, to)))).toHaveLength(1);
  });
});
