import type { OpenAPIObject } from '@nestjs/swagger';
import type { Api } from '../../src/api.js';
import { newUid } from '../../src/demo/phantom.js';
import { createDocument } from '../../src/documentation.js';
import { newId } from '../../src/platform/database/id.js';
import type { Route } from '../../src/platform/http/route-table.js';
import type { Inhabited } from './tenants.js';

/** A place of a request where a caller names something that may be another's. */
export interface Place {
  route: Route;
  in: 'path' | 'query' | 'body';
  name: string;
}

/** What names something: our ids, DICOM's UIDs, and the hospital's numbers. */
const IDENTIFIER = /^(id|uid|\w+_ids?|\w+_uid|\w+(Id|ID|Uid|UID)s?|accession_number)$/;

/** Identifiers that ask for nothing, and what they do instead. */
const NOT_ASKED: Record<string, string> = {
  'POST /api/v1/exams body patient_id': 'tells of the exam’s patient',
  'POST /api/inspect/v1/file/upload/presigned body id': 'declares the file; see cross-tenant.spec.ts',
  'POST /api/inspect/v1/file/upload/presigned body assetID': 'tells what the file is about',
  'POST /oauth2/introspect body client_id': 'is the credential',
  'POST /oauth2/revoke body client_id': 'is the credential',
  'POST /api/v1/admin/identity-providers body client_id': 'is what the provider calls us',
  'PATCH /api/v1/admin/identity-providers/:id body client_id': 'is what the provider calls us',
  'POST /api/v1/staff/auth/send-code body organization_id': 'is the door; see staff-sign-in.spec.ts',
  'POST /api/v1/staff/auth/verify-code body organization_id': 'is the door; see staff-sign-in.spec.ts',
  'POST /api/v1/staff/auth/refresh body organization_id': 'is the door; see staff-sessions.spec.ts',
  'POST /api/v1/staff/auth/logout body organization_id': 'is the door; see staff-sessions.spec.ts',
  'POST /api/v1/staff/auth/oidc/start body organization_id': 'is the door; see oidc.spec.ts',
  'POST /api/v1/staff/auth/oidc/start body provider_id': 'is asked by strangers; see oidc.spec.ts',
  'POST /api/v1/staff/auth/oidc/finish body organization_id': 'is the door; see oidc.spec.ts',
  'POST /api/v1/staff/auth/oidc/link body provider_id':
    'is asked by staff who are signed in; see oidc.spec.ts',
  'GET /api/v1/audit/events query resource_id': 'finds who has asked for it here; see audit/events.spec.ts',
  'POST /oauth2/token body client_id': 'is the credential',
  'POST /auth/token body client_id': 'is the credential',
  'GET /new-order query order_id': 'makes the order; see below',
  'GET /new-order body order_id': 'makes the order; see below',
  'POST /new-order query order_id': 'makes the order; see below',
  'POST /new-order body order_id': 'makes the order; see below',
};

export const nameOf = ({ route, in: where, name }: Place): string =>
  `${route.method} ${route.path} ${where} ${name}`;

/**
 * Every place of every route: path parameters by the route table, all others by the schemas that requests are checked
 * against, so that a route which takes an id cannot be left out.
 */
export function placesOfIds(api: Api): Place[] {
  const document = createDocument(api.app);
  const all = api.routes.flatMap((route): Place[] => [
    ...[...route.path.matchAll(/:(\w+)/g)].map(([, name]): Place => ({ route, in: 'path', name: name! })),
    ...namesIn(document, route).map(([where, name]): Place => ({ route, in: where, name })),
  ]);
  const places = all.filter(({ name }) => IDENTIFIER.test(name));
  const stale = Object.keys(NOT_ASKED).filter((name) => !places.some((place) => nameOf(place) === name));
  if (stale.length > 0) throw new Error(`No route takes: ${stale.join(', ')}`);
  return places.filter((place) => !(nameOf(place) in NOT_ASKED));
}

interface Schema {
  properties?: Record<string, unknown>;
  anyOf?: Schema[];
  allOf?: Schema[];
}

interface Described {
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

function namesIn(document: OpenAPIObject, { method, path }: Route): ['query' | 'body', string][] {
  const item = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')] as Record<string, Described> | undefined;
  const described = item?.[method.toLowerCase()];
  const query = (described?.parameters ?? []).filter((parameter) => parameter.in === 'query');
  const bodies = Object.values(described?.requestBody?.content ?? {}).map(({ schema }) => schema);
  return [
    ...query.map(({ name }): ['query', string] => ['query', name]),
    ...[...new Set(bodies.flatMap(propertiesOf))].map((name): ['body', string] => ['body', name]),
  ];
}

const propertiesOf = ({ properties, anyOf, allOf }: Schema): string[] => [
  ...Object.keys(properties ?? {}),
  ...[...(anyOf ?? []), ...(allOf ?? [])].flatMap(propertiesOf),
];

/** What the owner of these rows would ask for there; the first is something that can be read. */
export function idsFor({ route: { path }, name }: Place, owner: Inhabited): string[] {
  const { uploadId, examId, openExamId, orderId, openOrderId, archiveId, issued, fileId, openFileId } = owner;
  const { caseId, closedCaseId, attachmentId, documentId } = owner;
  const orders = [orderId, openOrderId, orderId.toUpperCase()];
  const cases = [caseId, closedCaseId, caseId.toUpperCase()];
  const ofPatients = [attachmentId, documentId, owner.staffAttachmentId, owner.restrictedId, owner.deletedId];
  const byName: Record<string, string[]> = {
    user_id: [owner.staffId],
    group_id: [owner.groupId, owner.innerGroupId],
    role_id: [owner.roleId],
    resource_id: [owner.caseId],
    client_id: [owner.clientRowId],
    api_key_id: [owner.apiKeyId],
    actor_id: [owner.clientRowId],
    request_id: [owner.requestId],
    provider_id: [owner.providerId],
    secret_id: [owner.secretId],
    member_id: [owner.userMemberId, owner.groupMemberId],
    identity_id: [owner.identityId],
    uid: [owner.studyUid],
    study_uid: [owner.studyUid],
    order_id: orders,
    result_ids: [owner.resultId],
    // Of a user, and the hospital's own.
    patient_id: path.includes('/admin/') ? [owner.patient.id, owner.neighbour.id] : [owner.patientId],
    accession_number: [owner.accessionNumber],
    caseId: cases,
    file_id: [fileId, openFileId],
  };
  const byPath: [string, string[]][] = [
    ['/inspect/', [fileId, openFileId, fileId.toUpperCase()]],
    ['/share/', [uploadId, archiveId]],
    ['/exams/', [examId, openExamId, examId.toUpperCase()]],
    ['/uploads/', [uploadId, archiveId, issued.uploadId, uploadId.toUpperCase()]],
    ['/orders/', orders],
    ['/admin/access/', [owner.clientRowId]],
    ['/admin/cases/', cases],
    ['/admin/users/', [owner.staffId, owner.patient.id, owner.staffId.toUpperCase()]],
    ['/admin/groups/', [owner.groupId, owner.innerGroupId]],
    ['/admin/roles/', [owner.roleId]],
    ['/admin/bindings/', [owner.bindingId]],
    ['/admin/clients/', [owner.clientRowId]],
    ['/admin/api-keys/', [owner.apiKeyId]],
    ['/admin/sessions/', [owner.sessionId]],
    ['/admin/identity-providers/', [owner.providerId]],
    ['/audit/holds/', [owner.holdId]],
    ['/audit/reports/', cases],
    ['/admin/organizations/', [owner.organizationId]],
    ['/audit/events/', [owner.eventId, owner.eventId.toUpperCase()]],
    ['/audit/exports/', [owner.auditExportId, owner.auditExportId.toUpperCase()]],
    ['/files/', [...ofPatients, attachmentId.toUpperCase()]],
  ];
  const ids = name === 'id' ? byPath.find(([part]) => path.includes(part))?.[1] : byName[name];
  if (!ids) throw new Error(`Nobody has said yet what ${name} of ${path} is.`);
  return ids;
}

/** One that nobody has. */
export function unknownFor({ name }: Place): string {
  if (name.endsWith('uid')) return newUid();
  return name === 'accession_number' ? newId().slice(-12) : newId();
}

/** The request that names `id` in that place, and is otherwise in order. @param own of who asks */
export function requestFor(
  { route, in: where, name }: Place,
  id: string,
  own: Inhabited,
): { method: string; path: string; body?: object } {
  const { method, path: template } = route;
  const bodies: Record<string, object> = {
    'POST /api/v1/audit/reports/access': { type: 'case' },
    'POST /api/v1/audit/reports/access study_uid': { type: 'study' },
    'POST /api/v1/audit/reports/disclosures': { type: 'case' },
    'POST /api/v1/audit/reports/disclosures study_uid': { type: 'study' },
    'PATCH /add-metadata': { StudyDescription: 'of another' },
    'POST /results': { finding: 'of another' },
    'POST /api/v1/exams/:id/share': {},
    'POST /api/v1/admin/cases/:id/attachments': { file_id: own.fileId },
    'PATCH /api/v1/admin/files/:id': { is_phi: true },
    'PATCH /api/v1/admin/clients/:id': { name: 'of another' },
    'PATCH /api/v1/admin/api-keys/:id': { name: 'of another' },
    'PATCH /api/v1/admin/identity-providers/:id': { name: 'of another' },
    'POST /api/v1/admin/users/:id/identities': { provider_id: own.providerId, subject: 'of another' },
    'PATCH /api/v1/admin/organizations/:id': { name: 'of another' },
    'POST /api/v1/admin/organizations/:id/deletion': {},
    'POST /api/v1/admin/organizations/:id/purge': { name: 'Tenant' },
    'PATCH /api/v1/users/me/files/:id/metadata': { fileName: 'of another' },
    'PATCH /api/v1/admin/users/:id': { first_name: 'of another' },
    'PATCH /api/v1/admin/groups/:id': { name: 'of another' },
    'POST /api/v1/admin/groups/:id/members': name === 'group_id' ? {} : { user_id: own.staffId },
    'PATCH /api/v1/admin/roles/:id': { name: 'of another' },
    'POST /api/v1/admin/bindings role_id': { user_id: own.staffId },
    'POST /api/v1/admin/bindings': { role_id: own.roleId },
    'POST /api/v1/users/me/files/upload': { name: 'a.txt', mimeType: 'text/plain', data: 'b2YgYW5vdGhlcg==' },
  };
  const body = bodies[`${method} ${template} ${name}`] ?? bodies[`${method} ${template}`];
  const asked = where === 'path' ? template.replace(new RegExp(`:${name}\\b`), id) : template;
  const path = asked.replace(':token', own.shareToken).replaceAll(/:(\w*id)\b/g, (_, other: string) => {
    return idsFor({ route, in: 'path', name: other }, own)[0]!; // what else its path names is one's own
  });
  if (where === 'body') return { method, path, body: { ...body, [name]: name.endsWith('_ids') ? [id] : id } };
  const besides: Record<string, Record<string, string>> = {
    'GET /api/v1/admin/access/rights': { kind: 'client' },
  };
  const asking = { ...besides[`${method} ${template}`], [name]: id };
  const query = where === 'query' ? `?${new URLSearchParams(asking).toString()}` : '';
  return { method, path: path + query, ...(body && { body }) };
}
