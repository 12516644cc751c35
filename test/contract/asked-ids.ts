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
const IDENTIFIER = /^(id|uid|\w+_ids?|\w+_uid|accession_number)$/;

/** Identifiers that ask for nothing, and what they do instead. */
const NOT_ASKED: Record<string, string> = {
  'POST /api/v1/exams body patient_id': 'tells of the exam’s patient',
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
  const { uploadId, examId, openExamId, orderId, openOrderId, archiveId, issued } = owner;
  const orders = [orderId, openOrderId, orderId.toUpperCase()];
  const byName: Record<string, string[]> = {
    uid: [owner.studyUid],
    study_uid: [owner.studyUid],
    order_id: orders,
    result_ids: [owner.resultId],
    patient_id: [owner.patientId],
    accession_number: [owner.accessionNumber],
  };
  const byPath: [string, string[]][] = [
    ['/share/', [uploadId, archiveId]],
    ['/exams/', [examId, openExamId, examId.toUpperCase()]],
    ['/uploads/', [uploadId, archiveId, issued.uploadId, uploadId.toUpperCase()]],
    ['/orders/', orders],
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

/** The request that names `id` in that place, and is otherwise in order. */
export function requestFor(
  { route: { method, path: template }, in: where, name }: Place,
  id: string,
  shareToken: string,
): { method: string; path: string; body?: object } {
  const path = template.replace(':token', shareToken);
  const bodies: Record<string, object> = {
    'PATCH /add-metadata': { StudyDescription: 'of another' },
    'POST /results': { finding: 'of another' },
    'POST /api/v1/exams/:id/share': {},
  };
  const body = bodies[`${method} ${template}`];
  if (where === 'path') return { method, path: path.replace(`:${name}`, id), ...(body && { body }) };
  if (where === 'query')
    return {
      method,
      path: `${path}?${new URLSearchParams({ [name]: id }).toString()}`,
      ...(body && { body }),
    };
  return { method, path, body: { [name]: name.endsWith('_ids') ? [id] : id } };
}
