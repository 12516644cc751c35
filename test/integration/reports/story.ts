import { Client as PgClient } from 'pg';
import type { Answer } from '../../support/client.js';
import { Client, eventually } from '../../support/client.js';
import { uploadExam } from '../../support/exam.js';
import type { Tenant, World } from '../../support/world.js';

export const REPORTS = '/api/v1/audit/reports';

export interface SharedExam {
  id: string;
  token: string;
  uploads: string[];
}

/** A confirmed exam whose files are registered. */
export async function sharedExam(client: Client, files: Record<string, Uint8Array>): Promise<SharedExam> {
  const { exam_id: id } = await uploadExam(client, files);
  const { body } = await client.post(`/api/v1/exams/${id}/confirm`);
  const detail = await eventually(
    async () => (await client.get(`/api/v1/exams/${id}`)).body,
    ({ ingestion_status }) => ingestion_status === 'registered',
  );
  return {
    id,
    token: body.share_url.split('/').at(-1),
    uploads: detail.files.map(({ upload_id }: { upload_id: string }) => upload_id),
  };
}

/** An auditor's reports. */
export class Auditor extends Client {
  access = (asked: object): Promise<Answer> => this.post(`${REPORTS}/access`, asked);
  disclosures = (asked: object): Promise<Answer> => this.post(`${REPORTS}/disclosures`, asked);
}

/** What a report says was done, oldest first: `<who> <access> <action> <resource type>`. */
export const told = (body: any, names: Record<string, string>): string[] =>
  body.items
    .map(
      ({ actor, access, kind, recipient, action, operation, resource, what }: any) =>
        `${nameOf(actor ?? recipient, names)} ${access ?? kind} ${action ?? operation} ${(resource ?? what.resource).type}`,
    )
    .toReversed();

const nameOf = ({ kind, id }: { kind: string; id?: string }, names: Record<string, string>): string =>
  (id !== undefined && names[id]) || kind;

/** A statement by the API's own role, within the tenant: what somebody could do who has taken the API over. */
export async function asApplication(
  { environment }: World,
  { organizationId }: Tenant,
  statement: string,
  values: unknown[] = [],
): Promise<number> {
  const client = new PgClient({ connectionString: environment.DATABASE_URL! });
  await client.connect();
  try {
    await client.query(`SELECT set_config('app.organization_id', $1, false)`, [organizationId]);
    return (await client.query(statement, values)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}
