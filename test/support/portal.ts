import { randomUUID } from 'node:crypto';
import { type Contact, subjectOf } from '../../src/modules/auth/contact.js';
import { oneTimeCode } from '../../src/modules/auth/one-time-code.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { newId } from '../../src/platform/database/id.js';
import { type Answer, Client } from './client.js';
import type { World } from './world.js';

/** Calls the API as a patients' app does: with a portal's key, and a bearer token once somebody has signed in. */
export class PortalClient extends Client {
  constructor(
    protected readonly world: World,
    readonly organizationId: string,
    readonly apiKey: string,
    token?: string,
  ) {
    super(world.baseUrl, token);
  }

  override call<T = any>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return super.call<T>(method, path, body, { 'cv-api-key': this.apiKey, ...headers });
  }
}

/** A patient who is signed in. */
export class Session extends PortalClient {
  constructor(
    portal: Portal,
    readonly patientId: string,
    readonly accessToken: string,
    readonly refreshToken: string,
  ) {
    super(portal.world, portal.organizationId, portal.apiKey, accessToken);
  }
}

export interface NewPatient {
  email?: string;
  phoneNumber?: string;
  firstName?: string;
  lastName?: string;
}

/** The app of an organization's patients, before anybody has signed in. */
export class Portal extends PortalClient {
  declare readonly world: World;

  /** With a key of its own. */
  static async open(world: World, organizationId: string): Promise<Portal> {
    const apiKey = await world.organizations.createPortalKey({ organizationId, name: 'portal' });
    return new Portal(world, organizationId, apiKey);
  }

  /** A row, as staff would make it. Returns its id. */
  async newPatient({
    email,
    phoneNumber,
    firstName = 'Ada',
    lastName = 'Byron',
  }: NewPatient): Promise<string> {
    const id = newId();
    await this.world.admin.query(
      `INSERT INTO "user" (id, organization_id, kind, first_name, last_name, email, phone_number, created_at)
       VALUES ($1, $2, 'patient', $3, $4, $5, $6, now())`,
      [id, this.organizationId, firstName, lastName, email, phoneNumber],
    );
    return id;
  }

  sendCode(to: { email?: string; phoneNumber?: string; channel?: string }): Promise<Answer> {
    return this.post('/api/v1/users/auth/send-otp', to);
  }

  verify(given: { email?: string; phoneNumber?: string; code: string }): Promise<Answer> {
    return this.post('/api/v1/users/auth/verify-otp', given);
  }

  refresh(refreshToken: string): Promise<Answer> {
    return this.post('/api/v1/users/auth/refresh-token', { refresh_token: refreshToken });
  }

  logout(refreshToken: string): Promise<Answer> {
    return this.post('/api/v1/users/auth/logout', { refresh_token: refreshToken });
  }

  /** The newest code of an address, known or not, made once more of what the API keeps of it. */
  async codeOf(address: string): Promise<string> {
    const { rows } = await this.world.admin.query<{ id: string }>(
      'SELECT id FROM otp_challenge WHERE subject_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1',
      [this.subjectOf(address)],
    );
    return oneTimeCode(this.world.config.SCANDOCK_MASTER_KEY, rows[0]!.id);
  }

  subjectOf(address: string): string {
    const contact: Contact = { channel: address.includes('@') ? 'email' : 'sms', address };
    const door = { kind: 'patient', named: this.organizationId } as const;
    return subjectOf(this.world.config.SCANDOCK_MASTER_KEY, door, contact);
  }

  /**
   * Signs a patient in, who is made when there is none with that address. The code is put into the table rather than asked
   * for, so that neither a mail server nor half a minute between two codes is needed.
   */
  async signIn(email = `${randomUUID()}@example.org`): Promise<Session> {
    const { rows } = await this.world.admin.query<{ id: string }>(
      'SELECT id FROM "user" WHERE organization_id = $1 AND email = $2',
      [this.organizationId, email],
    );
    const userId = rows[0]?.id ?? (await this.newPatient({ email }));
    await this.plantCode(email, userId);
    const { status, body, text } = await this.verify({ email, code: await this.codeOf(email) });
    if (status !== 200) throw new Error(`Not signed in: ${text}`);
    return new Session(this, userId, body.accessToken, body.refreshToken);
  }

  /** A code of an address as `send-otp` would leave it behind, already sent. */
  async plantCode(email: string, userId?: string): Promise<void> {
    await this.world.admin.query(
      `INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at, sent_at)
       VALUES ($1, $2, $3, $4, 'email', $5, $5::timestamptz + interval '10 minutes', $5)`,
      [newId(), this.organizationId, this.subjectOf(email), userId, this.world.api.app.get(Clock).now()],
    );
  }
}
