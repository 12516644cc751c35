import type { AuditRecord } from './audit.events.js';
import { codingOf, type DcmCode, outcomeCode } from './event.coding.js';
import {
  carriable as xmlCarriable,
  type CodingContext,
  detailsOf,
  objectsOf,
  OWN_SYSTEM,
  ownUri,
  type Participant,
  type ParticipantObject,
  participantsOf,
} from './event.participants.js';

const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem';

/**
 * An event as an AuditEvent of FHIR R4 (4.0.1, https://hl7.org/fhir/R4/auditevent.html), with the codes of its DICOM audit
 * message. All that the canonical form holds is in it: what the resource has no place for is the detail of the entity that
 * is the event itself.
 */
export function toFhir(event: AuditRecord, { source, studyUids, position }: CodingContext): object {
  const coding = codingOf(event.action);
  return {
    resourceType: 'AuditEvent',
    id: event.id,
    type: dcm(coding.event),
    subtype: [
      ...(coding.type ? [dcm(coding.type)] : []),
      { system: ownUri('audit-action'), code: event.action, display: event.action },
    ],
    action: coding.action,
    recorded: event.occurredAt.toISOString(),
    outcome: outcomeCode(event.outcome),
    outcomeDesc: event.outcome,
    agent: participantsOf(event, source, coding).map((participant) => agent(participant, event)),
    source: {
      site: event.organizationId,
      observer: { identifier: identifier(ownUri('source'), source), display: carriable(source) },
      type: [{ system: `${TERMINOLOGY}/security-source-type`, code: '4', display: 'Application Server' }],
    },
    entity: [...objectsOf(event, studyUids).map(entity), eventEntity(event, position)],
  };
}

/** FHIR's strings hold no white space but blanks, tabs and line ends. */
const carriable = (text: string): string => xmlCarriable(text).replace(/[^\S \r\n\t]/g, ' ');

const dcm = ({ code, meaning }: DcmCode) => ({ system: DCM, code, display: meaning });
const identifier = (system: string, value: string) => ({ system, value: carriable(value) });

/** The first of its roles is what it is; the others are roles it has as well. Scopes are what allowed it to act. */
function agent(
  { id, kind, name, requestor, roles, address, media }: Participant,
  event: AuditRecord,
): object {
  const [first, ...others] = roles;
  const also = [
    ...others.map((role) => ({ coding: [dcm(role)] })),
    ...(kind ? [{ coding: [{ system: ownUri('actor-kind'), code: kind, display: kind }] }] : []),
  ];
  const policies = requestor ? event.scopes.map((scope) => ownUri(`scope:${scope}`)) : [];
  return {
    type: { coding: [dcm(first!)] },
    ...(also.length > 0 && { role: also }),
    who: { identifier: identifier(ownUri(kind ?? (media ? 'media' : 'source')), id) },
    ...(name && { name: carriable(name) }),
    requestor,
    ...(policies.length > 0 && { policy: policies }),
    ...(media && { media: dcm(media) }),
    ...(address && { network: { address: carriable(address), type: '2' } }),
  };
}

function entity({ id, type, role, idType, name }: ParticipantObject): object {
  const isStudy = idType.system === 'DCM';
  return {
    what: {
      identifier: isStudy
        ? identifier('urn:dicom:uid', `urn:oid:${id}`)
        : identifier(ownUri(idType.system === OWN_SYSTEM ? idType.code : 'Patient'), id),
    },
    type: { system: `${TERMINOLOGY}/audit-entity-type`, code: type, display: ENTITY_TYPES[type] },
    ...(role && { role: { system: `${TERMINOLOGY}/object-role`, code: role } }),
    name,
  };
}

const ENTITY_TYPES = { '1': 'Person', '2': 'System Object', '3': 'Organization', '4': 'Other' } as const;

function eventEntity(event: AuditRecord, position?: number): object {
  return {
    ...entity({
      id: event.id,
      type: '2',
      role: '13',
      idType: { code: 'AuditEvent', system: OWN_SYSTEM, meaning: 'Audit event ID' },
      name: event.action,
    }),
    detail: detailsOf(event, position).map(({ type, value }) => ({
      type: carriable(type),
      valueString: carriable(value),
    })),
  };
}
