import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyRecord, record } from './audit-record.fixture.js';
import type { AuditRecord } from './audit.events.js';
import { toFhir } from './fhir-audit-event.js';
import { fhirAuditEvent } from './fhir-audit-event.fixture.js';

const UID = '1.2.826.0.1.3680043.10.1';
const STUDY = record().studyRef!;
const context = { source: 'https://scandock.example', studyUids: new Map([[STUDY, UID]]) };
const written = (event: AuditRecord) =>
  fhirAuditEvent.parse(JSON.parse(JSON.stringify(toFhir(event, context))));

const DCM = 'http://dicom.nema.org/resources/ontology/DCM';

describe('an event as a FHIR R4 AuditEvent', () => {
  it('is what the standard writes', () => {
    expect(written(record())).toEqual({
      resourceType: 'AuditEvent',
      id: record().id,
      type: { system: DCM, code: '110103', display: 'DICOM Instances Accessed' },
      subtype: [{ system: 'urn:scandock:audit-action', code: 'studies:read', display: 'studies:read' }],
      action: 'R',
      recorded: '2026-11-29T12:34:56.789Z',
      outcome: '0',
      outcomeDesc: 'success',
      agent: [
        {
          type: { coding: [{ system: DCM, code: '110156', display: 'Initiator Role ID' }] },
          role: [{ coding: [{ system: 'urn:scandock:actor-kind', code: 'client', display: 'client' }] }],
          who: { identifier: { system: 'urn:scandock:client', value: record().actorId } },
          name: 'RIS & PACS',
          requestor: true,
          policy: ['urn:scandock:scope:studies:read'],
          network: { address: '192.0.2.7', type: '2' },
        },
        {
          type: { coding: [{ system: DCM, code: '110150', display: 'Application' }] },
          who: { identifier: { system: 'urn:scandock:source', value: 'https://scandock.example' } },
          requestor: false,
        },
      ],
      source: {
        site: record().organizationId,
        observer: {
          identifier: { system: 'urn:scandock:source', value: 'https://scandock.example' },
          display: 'https://scandock.example',
        },
        type: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/security-source-type',
            code: '4',
            display: 'Application Server',
          },
        ],
      },
      entity: [
        {
          what: { identifier: { system: 'urn:scandock:Patient', value: record().patientRef } },
          type: {
            system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type',
            code: '1',
            display: 'Person',
          },
          role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: '1' },
          name: 'Patient',
        },
        {
          what: { identifier: { system: 'urn:dicom:uid', value: `urn:oid:${UID}` } },
          type: {
            system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type',
            code: '2',
            display: 'System Object',
          },
          role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: '3' },
          name: 'Study',
        },
        {
          what: { identifier: { system: 'urn:scandock:AuditEvent', value: record().id } },
          type: {
            system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type',
            code: '2',
            display: 'System Object',
          },
          role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: '13' },
          name: 'studies:read',
          detail: [
            { type: 'organization', valueString: record().organizationId },
            { type: 'request', valueString: record().requestId },
            { type: 'trace', valueString: record().traceId },
            { type: 'agent', valueString: 'curl/8' },
            { type: 'resource', valueString: 'Study' },
            { type: 'scopes', valueString: 'studies:read' },
            { type: 'detail.series', valueString: '3' },
          ],
        },
      ],
    });
  });

  it('is valid whatever the ledger holds', () => {
    fc.assert(
      fc.property(anyRecord, (event) => {
        expect(written(event)).toMatchObject({ id: event.id, recorded: event.occurredAt.toISOString() });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['success', '0'],
    ['denied', '4'],
    ['failure', '8'],
  ])('tells %s', (outcome, code) => expect(written(record({ outcome })).outcome).toBe(code));

  it('names the kind of somebody who has no id', () =>
    expect(
      written(record({ actorKind: 'anonymous', actorId: null, actorLabel: null })).agent[0]!.who,
    ).toEqual({
      identifier: { system: 'urn:scandock:anonymous', value: 'anonymous' },
    }));

  it('names the medium of a download', () =>
    expect(written(record({ action: 'files:download' })).agent[2]).toMatchObject({
      media: { system: DCM, code: '110037', display: 'URI' },
      requestor: false,
    }));
});
