import type { ConfigValues } from '../../platform/config/config.schema.js';
import type { AuditRecord } from './audit.events.js';
import { type DcmCode, type EventCoding, ROLES } from './event.coding.js';

/** What the outer formats need beside the event itself. */
export interface CodingContext {
  /** Names this installation among the audit sources of an enterprise. */
  source: string;
  /** StudyInstanceUID by the id of the study's row. Studies that are not in it are told by that id. */
  studyUids: ReadonlyMap<string, string>;
  /** The event's place in its organization's sealed ledger, where it is told. */
  position?: number;
}

/** What this installation is called, in files and to receivers alike: the host that callers reach it by. */
export const auditSource = ({ PUBLIC_URL }: Pick<ConfigValues, 'PUBLIC_URL'>): string =>
  new URL(PUBLIC_URL).host;

/** Name of our own codes and identifiers, where DICOM wants a name and FHIR a URI. */
export const OWN_SYSTEM = 'Scandock';
export const ownUri = (kind: string): string => `urn:scandock:${kind}`;

/** Who, or what medium, took part. */
export interface Participant {
  id: string;
  /** Of our own kinds of actors; absent: not an actor of the ledger. */
  kind?: string;
  name?: string;
  requestor: boolean;
  roles: DcmCode[];
  /** Where it is: an IP address. */
  address?: string;
  /** It is a medium, of that type. */
  media?: DcmCode;
}

/**
 * The participants PS3.15 A.5.3 wants: who asked for it, this application, and the medium of an export or import. A
 * download's or upload's address is a secret, so that the medium is named by the row it is the content of.
 */
export function participantsOf(event: AuditRecord, source: string, coding: EventCoding): Participant[] {
  const address = event.ip === null || event.ip === '' ? {} : { address: event.ip };
  const media = mediaOf(coding);
  return [
    {
      id: event.actorId || event.actorKind,
      kind: event.actorKind,
      ...(event.actorLabel && { name: event.actorLabel }),
      requestor: true,
      roles: [ROLES.initiator, ...(!media && coding.flow === 'in' ? [ROLES.source] : [])],
      ...address,
    },
    {
      id: source,
      requestor: false,
      roles: [
        ROLES.application,
        ...(coding.flow ? [coding.flow === 'in' ? ROLES.destination : ROLES.source] : []),
      ],
    },
    ...(media
      ? [
          {
            id: ownUri(`${event.resourceType ?? 'content'}:${event.resourceId ?? event.id}`),
            requestor: false,
            roles: media,
            media: ROLES.uri,
          },
        ]
      : []),
  ];
}

function mediaOf({ event, flow }: EventCoding): DcmCode[] | undefined {
  if (event.meaning === 'Export' && flow === 'out') return [ROLES.destination, ROLES.destinationMedia];
  if (event.meaning === 'Import') return [ROLES.source, ROLES.sourceMedia];
  return undefined;
}

/** ParticipantObjectTypeCode and, by the same numbers, FHIR's audit-entity-type. */
export type ObjectType = '1' | '2' | '3' | '4';

/** What an event was about. */
export interface ParticipantObject {
  id: string;
  /** ParticipantObjectTypeCode, audit-entity-type: 1 person, 2 system object, 3 organization, 4 other. */
  type: ObjectType;
  /** ParticipantObjectTypeCodeRole (PS3.15 A.5.1.2.2), object-role. */
  role?: string;
  /** What its id is. */
  idType: { code: string; system: 'DCM' | 'RFC-3881' | typeof OWN_SYSTEM; meaning: string };
  name: string;
}

/** Of each of our subjects: type and role. */
const RESOURCES: Record<string, readonly [ObjectType, string?]> = {
  Study: ['2', '3'],
  Exam: ['2', '3'],
  Result: ['2', '3'],
  Upload: ['2', '3'],
  InspectFile: ['2', '3'],
  PatientFile: ['2', '3'],
  PatientCase: ['2', '3'],
  Order: ['2', '20'],
  User: ['1', '11'],
  OauthClient: ['2', '11'],
  ApiKey: ['2', '13'],
  Group: ['2', '13'],
  Role: ['2', '13'],
  RoleBinding: ['2', '13'],
  Access: ['2', '13'],
  IdentityProvider: ['2', '13'],
  SigningKey: ['2', '13'],
  Session: ['2', '13'],
  Token: ['2', '13'],
  ShareLink: ['2', '13'],
  Organization: ['3', '19'],
  AuditEvent: ['2', '13'],
  AuditSeal: ['2', '13'],
  AuditExport: ['2', '13'],
  AuditHold: ['2', '13'],
  Event: ['2', '17'],
  System: ['2'],
};

/** The patient, the study and the resource of an event, as far as it names them; each once. */
export function objectsOf(event: AuditRecord, studyUids: ReadonlyMap<string, string>): ParticipantObject[] {
  const { resourceType, resourceId, patientRef, studyRef } = event;
  const studies = new Set([studyRef, resourceType === 'Study' ? resourceId : null].filter(isNamed));
  return [
    ...(isNamed(patientRef)
      ? [
          {
            id: patientRef,
            type: '1' as const,
            role: '1',
            idType: { code: '2', system: 'RFC-3881' as const, meaning: 'Patient Number' },
            name: 'Patient',
          },
        ]
      : []),
    ...[...studies].map((study) => studyObject(study, studyUids)),
    ...(isNamed(resourceId) && resourceType !== 'Study'
      ? [resourceObject(resourceType ?? 'Other', resourceId)]
      : []),
  ];
}

const isNamed = (value: string | null): value is string => value !== null && value !== '';

function studyObject(id: string, studyUids: ReadonlyMap<string, string>): ParticipantObject {
  const uid = studyUids.get(id);
  if (uid === undefined) return resourceObject('Study', id);
  const { code, meaning } = ROLES.study;
  return { id: uid, type: '2', role: '3', idType: { code, system: 'DCM', meaning }, name: 'Study' };
}

function resourceObject(type: string, id: string): ParticipantObject {
  const [objectType, role] = (Object.hasOwn(RESOURCES, type) && RESOURCES[type]) || (['4'] as const);
  return {
    id,
    type: objectType,
    ...(role && { role }),
    idType: { code: type, system: OWN_SYSTEM, meaning: `${type} ID` },
    name: type,
  };
}

/** All else an event holds, as pairs of a name and a text: a string as it is, anything else as JSON. In a fixed order. */
export function detailsOf(event: AuditRecord, position?: number): { type: string; value: string }[] {
  const { detail } = event;
  const own =
    typeof detail === 'object' && detail !== null && !Array.isArray(detail)
      ? Object.entries(detail).sort(([one], [other]) => (one < other ? -1 : 1))
      : [['value', detail] as const];
  const pairs: (readonly [string, unknown])[] = [
    ['organization', event.organizationId],
    ['position', position ?? null],
    ['request', event.requestId],
    ['trace', event.traceId],
    ['agent', event.userAgent],
    ['resource', event.resourceType],
    ['scopes', event.scopes.length > 0 ? event.scopes.join(' ') : null],
  ];
  return [
    ...pairs.filter(([, value]) => value !== null && value !== ''),
    ...own.map(([name, value]) => [`detail.${name}`, value] as const),
  ].map(([type, value]) => ({ type, value: textOf(value) }));
}

/** An empty string is written as JSON, since no value of FHIR may be empty. */
const textOf = (value: unknown): string =>
  typeof value === 'string' && value !== '' ? value : JSON.stringify(value);

/**
 * Text with only characters XML 1.0 and FHIR can carry: others, and halves of surrogate pairs, are replaced by U+FFFD.
 * What came from outside (a user agent) may hold any.
 */
export const carriable = (text: string): string =>
  text.replace(/[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
