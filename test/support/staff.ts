import { randomUUID } from 'node:crypto';
import { subjectOf } from '../../src/modules/auth/contact.js';
import { oneTimeCode } from '../../src/modules/auth/one-time-code.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { newId } from '../../src/platform/database/id.js';
import { type Answer, Client } from './client.js';
import type { World } from './world.js';

export const STAFF_AUTH = '/api/v1/staff/auth';

/** The door of an organization's staff, before anybody has signed in. */
export class StaffDoor extends Client {
  constructor(
    readonly world: World,
    readonly organizationId: string,
  ) {
    super(world.baseUrl);
  }

  /** Somebody of staff, with a built-in role. Returns the user's id. */
  async newStaff(email = this.newAddress(), role?: string): Promise<string> {
    const id = newId();
    await this.world.admin.query(
      `INSERT INTO "user" (id, organization_id, kind, first_name, last_name, email, created_at)
       VALUES ($1, $2, 'staff', 'Staff', 'Member', $3, now())`,
      [id, this.organizationId, email],
    );
    if (role !== undefined)
      await this.world.admin.query(
        `INSERT INTO role_binding (id, organization_id, role_id, user_id, created_at)
         SELECT $1, $2, id, $3, now() FROM role WHERE organization_id = $2 AND name = $4`,
        [newId(), this.organizationId, id, role],
      );
    return id;
  }

  newAddress = (): string => `${randomUUID()}@staff.example`;

  sendCode = (email: string): Promise<Answer> => this.ask('send-code', { email });
  verify = (email: string, code: string): Promise<Answer> => this.ask('verify-code', { email, code });
  refresh = (refresh_token: string): Promise<Answer> => this.ask('refresh', { refresh_token });
  logout = (refresh_token: string): Promise<Answer> => this.ask('logout', { refresh_token });
  startOidc = (provider_id: string, redirect_uri: string): Promise<Answer> =>
    this.ask('oidc/start', { provider_id, redirect_uri });
  finishOidc = (flow: string, callback_url: string): Promise<Answer> =>
    this.ask('oidc/finish', { flow, callback_url });

  private ask = (path: string, body: object): Promise<Answer> =>
    this.post(`${STAFF_AUTH}/${path}`, { organization_id: this.organizationId, ...body });

  subjectOf(address: string): string {
    const door = { kind: 'staff', named: this.organizationId } as const;
    return subjectOf(this.world.config.SCANDOCK_MASTER_KEY, door, { channel: 'email', address });
  }

  /** The newest code of an address, known or not, made once more of what the API keeps of it. */
  async codeOf(address: string): Promise<string> {
    const { rows } = await this.world.admin.query<{ id: string }>(
      'SELECT id FROM otp_challenge WHERE subject_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1',
      [this.subjectOf(address)],
    );
    return oneTimeCode(this.world.config.SCANDOCK_MASTER_KEY, rows[0]!.id);
  }

  /** A code of an address as `send-code` would leave it behind, already sent. */
  async plantCode(email: string, userId?: string): Promise<void> {
    await this.world.admin.query(
      `INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at, sent_at)
       VALUES ($1, $2, $3, $4, 'email', $5, $5::timestamptz + interval '10 minutes', $5)`,
      [newId(), this.organizationId, this.subjectOf(email), userId, this.world.api.app.get(Clock).now()],
    );
  }

  /** Signs somebody in who is made for it. */
  async signIn(role?: string): Promise<SignedInStaff> {
    const email = this.newAddress();
    const userId = await this.newStaff(email, role);
    await this.plantCode(email, userId);
    const { status, body, text } = await this.verify(email, await this.codeOf(email));
    if (status !== 200) throw new Error(`Not signed in: ${text}`);
    return new SignedInStaff(this, userId, body.access_token, body.refresh_token);
  }
}

/** Somebody of staff who is signed in. */
export class SignedInStaff extends Client {
  constructor(
    door: StaffDoor,
    readonly userId: string,
    readonly accessToken: string,
    readonly refreshToken: string,
  ) {
    super(door.world.baseUrl, accessToken);
  }

  startLink = (provider_id: string, redirect_uri: string): Promise<Answer> =>
    this.post(`${STAFF_AUTH}/oidc/link`, { provider_id, redirect_uri });
  finishLink = (flow: string, callback_url: string): Promise<Answer> =>
    this.post(`${STAFF_AUTH}/oidc/link/finish`, { flow, callback_url });
}
