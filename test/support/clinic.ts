import { randomUUID } from 'node:crypto';
import { AccessTokenSigner } from '../../src/modules/auth/access-token.signer.js';
import { type Answer, Client, tokenFor } from './client.js';
import { Inspector } from './inspector.js';
import type { Tenant, World } from './world.js';

const FILES = '/api/v1/users/me/files';

/** A patient who is signed in: the portal's key and a bearer token with every request. */
export class Patient extends Client {
  /** The headers a patient shows. */
  readonly credentials: Readonly<Record<string, string>>;

  constructor(
    baseUrl: string,
    token: string,
    readonly id: string,
    private readonly portalKey: string,
  ) {
    super(baseUrl, token);
    this.credentials = { authorization: `Bearer ${token}`, 'cv-api-key': portalKey };
  }

  override call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return super.call(method, path, body, { 'cv-api-key': this.portalKey, ...headers });
  }

  upload = (
    bytes: Uint8Array | string,
    { headers, ...fields }: { headers?: Record<string, string> } & Record<string, unknown> = {},
  ): Promise<Answer> =>
    this.post(
      `${FILES}/upload`,
      { name: 'note.txt', mimeType: 'text/plain', data: Buffer.from(bytes).toString('base64'), ...fields },
      headers,
    );

  /** Uploads, and returns the file's id. */
  async deliver(bytes: Uint8Array | string, fields: Record<string, unknown> = {}): Promise<string> {
    const { status, body, text } = await this.upload(bytes, fields);
    if (status !== 200) throw new Error(`POST upload: ${status} ${text}`);
    return body.data.id;
  }

  list = (query = ''): Promise<Answer> => this.get(FILES + query);
  metadata = (id: string): Promise<Answer> => this.get(`${FILES}/${id}/metadata`);
  rename = (id: string, fileName: string): Promise<Answer> =>
    this.call('PATCH', `${FILES}/${id}/metadata`, { fileName });
  download = (id: string): Promise<Answer> => this.get(`${FILES}/${id}/download`);
  remove = (id: string): Promise<Answer> => this.call('DELETE', `${FILES}/${id}`);

  /** The bytes of a file, by its presigned URL. */
  async fetch(id: string): Promise<{ bytes: Buffer; headers: Headers }> {
    const { status, body, text } = await this.download(id);
    if (status !== 200) throw new Error(`GET download: ${status} ${text}`);
    const response = await fetch(body.data.downloadUrl);
    if (response.status !== 200) throw new Error(`GET the object: ${response.status}`);
    return { bytes: Buffer.from(await response.arrayBuffer()), headers: response.headers };
  }
}

/** An organization whose patients have a portal. */
export class Clinic {
  private constructor(
    private readonly world: World,
    readonly tenant: Tenant,
    readonly staff: Inspector,
    readonly portalKey: string,
  ) {}

  /** @param given absent, a new one */
  static async open(world: World, given?: Tenant): Promise<Clinic> {
    const tenant = given ?? (await world.newTenant());
    const { organizationId } = tenant;
    const portalKey = await world.organizations.createPortalKey({ organizationId, name: 'portal' });
    const staff = new Inspector(world.baseUrl, await tokenFor(world.baseUrl, tenant));
    return new Clinic(world, tenant, staff, portalKey);
  }

  /** A case of a new patient, or of the one that is named. */
  async openCase(fields: object = {}): Promise<{ caseId: string; patientId: string }> {
    const { status, body, text } = await this.staff.post('/api/v1/admin/cases', {
      patient: { email: `${randomUUID()}@patients.example`, first_name: 'Jane', last_name: 'Doe' },
      ...fields,
    });
    if (status !== 201) throw new Error(`POST cases: ${status} ${text}`);
    return { caseId: body.id, patientId: body.patient.id };
  }

  /** An attachment that staff makes of an inspect file. */
  async attach(caseId: string, bytes: Uint8Array, fields: object = {}): Promise<string> {
    const fileId = await this.staff.deliver(bytes, 'text/plain', { name: 'plan.txt' });
    const { status, body, text } = await this.staff.post(`/api/v1/admin/cases/${caseId}/attachments`, {
      file_id: fileId,
      ...fields,
    });
    if (status !== 201) throw new Error(`POST attachments: ${status} ${text}`);
    return body.id;
  }

  /** A new patient with a case, signed in. */
  async admit(): Promise<{ patient: Patient; caseId: string }> {
    const { caseId, patientId } = await this.openCase();
    return { patient: await this.signIn(patientId), caseId };
  }

  /** As if the patient had shown a code: the session is written, and its token signed. */
  async signIn(userId: string): Promise<Patient> {
    const { organizationId } = this.tenant;
    const [sessionId, now] = [randomUUID(), new Date()];
    const { rows } = await this.world.admin.query<{ id: string }>(
      `SELECT id FROM api_key WHERE organization_id = $1 AND purpose = 'portal'`,
      [organizationId],
    );
    const apiKeyId = rows[0]!.id;
    await this.world.admin.query(
      `INSERT INTO user_session (id, organization_id, user_id, api_key_id, created_at, last_used_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $5, $5::timestamptz + interval '90 days')`,
      [sessionId, organizationId, userId, apiKeyId, now],
    );
    const token = await this.world.api.app.get(AccessTokenSigner, { strict: false }).sign({
      subject: userId,
      organizationId,
      clientId: apiKeyId,
      scopes: ['files:read', 'files:write'],
      jti: randomUUID(),
      issuedAt: now,
      lifetimeSeconds: 900,
      sessionId,
    });
    return new Patient(this.world.baseUrl, token, userId, this.portalKey);
  }
}
