import { Client, eventually } from '../support/client.js';
import type { Admin } from '../support/admin.js';
import { Clinic } from '../support/clinic.js';
import { ctInstance } from '../support/dicom-files.js';
import { uploadExam } from '../support/exam.js';
import { Hospital } from '../support/hospital.js';
import { IdentityProvider } from '../support/identity-provider.js';
import { Inspector } from '../support/inspector.js';
import { platformOwner } from '../support/platform.js';
import { Portal } from '../support/portal.js';
import { PostOffice } from '../support/post-office.js';
import { StaffDoor } from '../support/staff.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { STORAGE_EVENTS_SECRET } from './ingestion-calls.js';

const UNLIMITED = {
  CREDENTIAL_FAILURES_PER_MINUTE: '100000',
  RATE_LIMIT_PER_MINUTE: '100000',
  SIGN_IN_CODES_PER_MINUTE: '100000',
};

/** A ready exam with one registered file. */
export interface SharedExam {
  id: string;
  /** Of its link. */
  token: string;
  upload: string;
}

/** Every surface of one organization, with whoever calls it: nothing here is limited, and nothing happens by itself. */
export class Surfaces {
  private constructor(
    readonly world: World,
    readonly tenant: Tenant,
    readonly platform: Admin,
    readonly clinic: Clinic,
    readonly office: PostOffice,
    readonly sso: IdentityProvider,
  ) {}

  static async open(
    overrides: Record<string, string> = {},
    connections: Record<string, string> = {},
  ): Promise<Surfaces> {
    const [office, sso] = [await PostOffice.open(), await IdentityProvider.open()];
    // No reconciler: an upload lands when somebody says so, and its event is theirs.
    const environment = {
      ...UNLIMITED,
      ...office.environment,
      ...sso.environment,
      RECONCILE_INTERVAL_MS: '3600000',
      STORAGE_EVENTS_SECRET,
      ...overrides,
    };
    const world = await createWorld(environment, connections);
    await world.startWorker();
    const tenant = await world.newTenant();
    const platform = await platformOwner(world);
    return new Surfaces(world, tenant, platform, await Clinic.open(world, tenant), office, sso);
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.office.close();
    await this.sso.close();
  }

  /** With the tenant's API key, and with nothing. */
  get client(): Client {
    return new Client(this.world.baseUrl, this.tenant.apiKey);
  }
  get anonymous(): Client {
    return new Client(this.world.baseUrl);
  }
  get portal(): Portal {
    return new Portal(this.world, this.tenant.organizationId, this.clinic.portalKey);
  }
  hospital = (): Hospital => new Hospital(this.world.baseUrl, this.tenant.apiKey);
  inspector = (): Inspector => new Inspector(this.world.baseUrl, this.tenant.apiKey);
  door = (): StaffDoor => new StaffDoor(this.world, this.tenant.organizationId);

  /** A confirmed exam with one registered file, its link protected when wanted. */
  async sharedExam(password?: string): Promise<SharedExam> {
    const { client } = this;
    const id = await this.confirmable();
    const { body } = await client.post<{ share_url: string }>(`/api/v1/exams/${id}/confirm`);
    const detail = await eventually(
      async () =>
        (
          await client.get<{ ingestion_status: string; files: { upload_id: string }[] }>(
            `/api/v1/exams/${id}`,
          )
        ).body,
      ({ ingestion_status }) => ingestion_status === 'registered',
    );
    if (password) await client.post(`/api/v1/exams/${id}/share`, { password });
    return { id, token: body.share_url.split('/').at(-1)!, upload: detail.files[0]!.upload_id };
  }

  /** An exam whose one file was PUT. */
  confirmable = async (): Promise<string> =>
    (await uploadExam(this.client, { 'a.dcm': ctInstance() })).exam_id;

  /** Under a fault of the database that leaves the ledger alone. */
  broken = <T>(call: () => Promise<T>): Promise<T> => this.without('stored_object', call);

  /** While a table is not there. */
  async without<T>(table: string, call: () => Promise<T>): Promise<T> {
    await this.world.admin.query(`ALTER TABLE ${table} RENAME TO hidden_table`);
    try {
      return await call();
    } finally {
      await this.world.admin.query(`ALTER TABLE hidden_table RENAME TO ${table}`);
    }
  }
}
