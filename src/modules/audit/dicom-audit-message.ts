import type { AuditRecord } from './audit.events.js';
import { codingOf, type DcmCode, outcomeCode } from './event.coding.js';
import {
  carriable,
  type CodingContext,
  detailsOf,
  objectsOf,
  OWN_SYSTEM,
  type Participant,
  type ParticipantObject,
  participantsOf,
} from './event.participants.js';

/**
 * An event as a DICOM audit message: one AuditMessage of the schema of PS3.15 A.5.1 (RELAX NG), without XML declaration
 * and without line breaks. All that the canonical form holds is in it; beside the standard's own objects one that is the
 * event itself, with everything the schema has no place for as details (base64, as it demands).
 */
export function toDicomXml(event: AuditRecord, { source, studyUids, position }: CodingContext): string {
  const coding = codingOf(event.action);
  const isQuery = coding.event.meaning === 'Query';
  return element('AuditMessage', {}, [
    element(
      'EventIdentification',
      {
        EventActionCode: coding.action,
        EventDateTime: event.occurredAt.toISOString(),
        EventOutcomeIndicator: outcomeCode(event.outcome),
      },
      [
        dcmCode('EventID', coding.event),
        ...(coding.type ? [dcmCode('EventTypeCode', coding.type)] : []),
        code('EventTypeCode', event.action, OWN_SYSTEM, event.action),
        element('EventOutcomeDescription', {}, [text(event.outcome)]),
      ],
    ),
    ...participantsOf(event, source, coding).map(activeParticipant),
    element(
      'AuditSourceIdentification',
      { AuditEnterpriseSiteID: event.organizationId, AuditSourceID: source },
      [element('AuditSourceTypeCode', { 'csd-code': APPLICATION_SERVER }, [])],
    ),
    ...(coding.event.meaning === 'Audit Log Used' ? [auditLog(event)] : []),
    ...objectsOf(event, studyUids).map((object) => participantObject(object)),
    eventObject(event, isQuery, position),
  ]);
}

/** PS3.15 A.5.1.2.1 */
const APPLICATION_SERVER = '4';

function activeParticipant({ id, kind, name, requestor, roles, address, media }: Participant): string {
  return element(
    'ActiveParticipant',
    {
      UserID: id,
      UserName: name,
      UserIsRequestor: String(requestor),
      NetworkAccessPointID: address,
      NetworkAccessPointTypeCode: address && '2', // an IP address
    },
    [
      ...roles.map((role) => dcmCode('RoleIDCode', role)),
      ...(kind ? [code('RoleIDCode', kind, OWN_SYSTEM, kind)] : []),
      ...(media ? [element('MediaIdentifier', {}, [dcmCode('MediaType', media)])] : []),
    ],
  );
}

const participantObject = (
  { id, type, role, idType, name }: ParticipantObject,
  query?: string,
  details = '',
): string =>
  element(
    'ParticipantObjectIdentification',
    { ParticipantObjectID: id, ParticipantObjectTypeCode: type, ParticipantObjectTypeCodeRole: role },
    [
      code('ParticipantObjectIDTypeCode', idType.code, idType.system, idType.meaning),
      query === undefined
        ? element('ParticipantObjectName', {}, [text(name)])
        : element('ParticipantObjectQuery', {}, [query]),
      details,
    ],
  );

/** The object PS3.15 A.5.3.2 demands of Audit Log Used. */
const auditLog = (event: AuditRecord): string =>
  participantObject({
    id: `urn:scandock:audit:${event.organizationId}`,
    type: '2',
    role: '13',
    idType: { code: '12', system: 'RFC-3881', meaning: 'URI' },
    name: 'Security Audit Log',
  });

/** The event itself. Of a query, what was asked is the query. */
function eventObject(event: AuditRecord, isQuery: boolean, position?: number): string {
  const details = detailsOf(event, position)
    .map(({ type, value }) => element('ParticipantObjectDetail', { type, value: base64(value) }, []))
    .join('');
  return participantObject(
    {
      id: event.id,
      type: '2',
      role: isQuery ? '24' : '13',
      idType: { code: 'AuditEvent', system: OWN_SYSTEM, meaning: 'Audit event ID' },
      name: event.action,
    },
    isQuery ? base64(JSON.stringify({ action: event.action, detail: event.detail })) : undefined,
    details,
  );
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');

const dcmCode = (name: string, { code: value, meaning }: DcmCode): string =>
  code(name, value, 'DCM', meaning);

/** A coded value: `csd-code`, code system and the code's meaning, in the schema's order. */
const code = (name: string, value: string, system: string, meaning: string): string =>
  element(name, { 'csd-code': value, codeSystemName: system, originalText: meaning }, []);

function element(name: string, attributes: Record<string, string | undefined>, content: string[]): string {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined && value !== '');
  const head = [name, ...given.map(([key, value]) => `${key}="${text(value!)}"`)].join(' ');
  const inner = content.join('');
  return inner === '' ? `<${head}/>` : `<${head}>${inner}</${name}>`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

const text = (value: string): string =>
  carriable(value).replace(/[&<>"\t\n\r]/g, (found) => ENTITIES[found]!);
