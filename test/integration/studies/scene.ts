import { randomUUID } from 'node:crypto';
import { newUid } from '../../../src/demo/phantom.js';
import { StudiesService } from '../../../src/modules/studies/studies.service.js';
import { insertIssued } from '../../../src/modules/uploads/upload.issue.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { eventually } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { type Fault, Incarnation, type Outside } from '../../support/incarnation.js';
import { insertOrganization, stage } from '../../support/ledger-rows.js';
import { PATIENT } from '../../support/lock-waiters.js';
import { type Stack, startStack } from '../../support/stack.js';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

const URL_LIFETIME_MS = 15 * MINUTE;
const WITNESS = { kind: 'system' as const, id: 'reconciler' as const };

/** Postgres, a bucket and the services on them, for one file of tests. */
export class Theatre {
  private constructor(
    readonly stack: Stack,
    readonly outside: Outside,
  ) {}

  static async open(): Promise<Theatre> {
    const stack = await startStack({}, PATIENT);
    const config = stack.workerConfig;
    return new Theatre(stack, {
      config,
      database: new DatabaseService(config),
      storage: new StorageService(config),
    });
  }

  async close(): Promise<void> {
    await this.outside.database.onApplicationShutdown();
    this.outside.storage.onApplicationShutdown();
    await this.stack.close();
  }

  async scene(): Promise<Scene> {
    return new Scene(this, await insertOrganization(this.stack.admin));
  }
}

/** A clock that stands. */
class StandingClock extends Clock {
  time = Math.floor(Date.now() / 1000) * 1000;

  override now(): Date {
    return new Date(this.time);
  }
}

export interface Facts extends NonNullable<Parameters<typeof ctInstance>[0]> {
  SOPClassUID?: string;
  IssuerOfPatientID?: string;
}

/** A study that is being made: its instances by short names, each with as many different bytes as are asked for. */
export class StudyMaker {
  readonly uid = newUid();
  private readonly series = newUid();
  private readonly uids = new Map<string, string>();

  /** New pixels at each call. */
  bytes(name: string, facts: Facts = {}): Uint8Array {
    const given = {
      StudyInstanceUID: this.uid,
      SeriesInstanceUID: this.series,
      SOPInstanceUID: this.sop(name),
      ...facts,
    };
    return ctInstance(given);
  }

  sop(name: string): string {
    const uid = this.uids.get(name) ?? newUid();
    this.uids.set(name, uid);
    return uid;
  }

  nameOf(uid: string): string {
    return [...this.uids].find(([, each]) => each === uid)?.[0] ?? uid;
  }
}

export interface Sent {
  principal?: string;
  mayReplace?: boolean;
  orderId?: string;
  exam?: boolean;
}

export interface SubmissionRow {
  generation: number;
  state: string;
  lastLanded: number;
  closes: number;
}

/** One organization whose uploads land when the test says. Times are milliseconds since the scene began. */
export class Scene {
  readonly clock = new StandingClock();
  readonly begin = this.clock.time;
  readonly principal = newId();
  readonly worker: Incarnation;

  constructor(
    readonly theatre: Theatre,
    readonly organizationId: string,
  ) {
    this.worker = this.anotherWorker();
  }

  anotherWorker(fault?: Fault): Incarnation {
    return new Incarnation(this.theatre.outside, this.clock, fault);
  }

  /** PUT and noticed: `time` is the bucket's. Returns the upload. */
  async land(bytes: Uint8Array, time: number, sent: Sent = {}): Promise<string> {
    const id = await this.issue(sent);
    await stage(this.theatre.stack.s3, this.organizationId, id, bytes);
    await this.notice(id, bytes.length, time);
    return id;
  }

  async issue({ principal, mayReplace, orderId, exam }: Sent = {}): Promise<string> {
    const id = newId();
    const issuedAt = this.clock.now();
    const upload = {
      id,
      surface: exam ? ('exams' as const) : ('ingestion' as const),
      principal: { kind: 'api_key' as const, id: principal ?? this.principal },
      mayReplace: mayReplace ?? false,
      ...(orderId && { orderId }),
    };
    const validity = { issuedAt, urlExpiresAt: new Date(issuedAt.getTime() + URL_LIFETIME_MS) };
    await this.write((tx) => insertIssued(tx, this.organizationId, validity, [upload]));
    return id;
  }

  async notice(uploadId: string, size: number, time: number): Promise<void> {
    const facts = { uploadId, size, etag: '"e"', modifiedAt: new Date(this.begin + time) };
    await this.worker.landing.land({ organizationId: this.organizationId, actor: WITNESS }, [facts]);
  }

  /** One after the other, as they are named. */
  async verify(...uploadIds: string[]): Promise<void> {
    for (const uploadId of uploadIds)
      await this.worker.verifier.verify({ organizationId: this.organizationId, uploadId });
  }

  /** In one transaction: one that waits for another study's lock lets the others gather behind it. */
  async verifyTogether(...uploadIds: string[]): Promise<void> {
    const { organizationId } = this;
    const decoy = new StudyMaker();
    const first = await this.land(decoy.bytes('decoy'), 0);
    const client = await this.theatre.stack.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'study', $1::text, $2::text), 0))`,
        [organizationId, decoy.uid],
      );
      const gathered = () => this.worker.settlement['commits']['queues'].get(organizationId)?.length ?? -1;
      const settled = [this.worker.verifier.verify({ organizationId, uploadId: first })];
      await eventually(
        () => Promise.resolve(gathered()),
        (length) => length === 0,
      );
      for (const [index, uploadId] of uploadIds.entries()) {
        settled.push(this.worker.verifier.verify({ organizationId, uploadId }));
        await eventually(
          () => Promise.resolve(gathered()),
          (length) => length === index + 1,
        );
      }
      await client.query('COMMIT');
      await Promise.all(settled);
    } finally {
      client.release();
    }
  }

  /** Lands it and verifies it. */
  async send(bytes: Uint8Array, time: number, sent: Sent = {}): Promise<string> {
    const id = await this.land(bytes, time, sent);
    await this.verify(id);
    return id;
  }

  /** A pass of the reconciler at this time; what it queues is not worked off. */
  async pass(time: number): Promise<void> {
    this.clock.time = this.begin + time;
    await this.worker.reconciler.run();
  }

  async newOrder(): Promise<string> {
    const id = randomUUID();
    await this.theatre.stack.admin.query(
      `INSERT INTO "order" (organization_id, id, origin, created_by_id, created_at) VALUES ($1, $2, 'created', $3, $4)`,
      [this.organizationId, id, this.principal, this.clock.now()],
    );
    return id;
  }

  /** As `POST /orders/{id}/close` does once it has landed what lies there. */
  async closeOrder(id: string, time: number): Promise<void> {
    this.clock.time = this.begin + time;
    const { organizationId } = this;
    await this.write(async (tx) => {
      await tx.$executeRaw`UPDATE "order" SET closed_at = ${this.clock.now()}::timestamptz WHERE id = ${id}::uuid`;
      await new StudiesService().hastenClosing(tx, organizationId, id, this.clock.now());
    });
  }

  /** The generations of a study, first to last. */
  submissions({ uid }: StudyMaker): Promise<SubmissionRow[]> {
    return this.query(
      `SELECT s.generation, s.state::text, (extract(epoch FROM s.last_landed_at) * 1000 - $3)::int AS "lastLanded",
              (extract(epoch FROM s.closes_at) * 1000 - $3)::int AS closes
       FROM submission s JOIN study st ON st.id = s.study_id
       WHERE s.organization_id = $1 AND st.study_instance_uid = $2 ORDER BY 1`,
      [uid, this.begin],
    );
  }

  /** Which upload each instance of a generation shows, by the instance's short name. */
  async shown(study: StudyMaker, generation: number): Promise<Record<string, string>> {
    const rows = await this.query<{ sop: string; upload: string }>(
      `SELECT i.sop_instance_uid AS sop, (
         SELECT u.id FROM upload u WHERE u.stored_object_id = i.stored_object_id AND u.state = 'registered' ORDER BY u.id LIMIT 1) AS upload
       FROM instance i JOIN series se ON se.id = i.series_id JOIN study st ON st.id = se.study_id
       WHERE i.organization_id = $1 AND st.study_instance_uid = $2
         AND i.generation <= $3 AND (i.superseded_in IS NULL OR i.superseded_in > $3)`,
      [study.uid, generation],
    );
    return Object.fromEntries(rows.map(({ sop, upload }) => [study.nameOf(sop), upload]));
  }

  async upload(id: string): Promise<{
    state: string;
    rule: string | null;
    duplicate: boolean;
    orderId: string | null;
    studyId: string | null;
    key: string | null;
  }> {
    const [row] = await this.query<any>(
      `SELECT u.state::text, u.rejection_rule AS rule, u.duplicate, u.order_id AS "orderId", u.study_id AS "studyId", o.key
       FROM upload u LEFT JOIN stored_object o ON o.id = u.stored_object_id WHERE u.organization_id = $1 AND u.id = $2`,
      [id],
    );
    return row;
  }

  /** Of one type, in the order they were emitted. */
  async events(type: string): Promise<any[]> {
    const rows = await this.query<{ data: object }>(
      'SELECT data FROM outbox_event WHERE organization_id = $1 AND type = $2 ORDER BY transaction_id, id',
      [type],
    );
    return rows.map(({ data }) => data);
  }

  async orders(): Promise<{ id: string; origin: string; failed: boolean }[]> {
    return this.query(
      `SELECT id, origin::text, failed_at IS NOT NULL AS failed FROM "order" WHERE organization_id = $1 ORDER BY created_at, id`,
    );
  }

  async query<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const { rows } = await this.theatre.stack.admin.query(sql, [this.organizationId, ...values]);
    return rows as Row[];
  }

  private write: DatabaseServiceWrite = (work) =>
    this.theatre.outside.database.withOrganizationSql(this.organizationId, work);
}

type DatabaseServiceWrite = <T>(
  work: Parameters<typeof DatabaseService.prototype.withOrganizationSql<T>>[1],
) => Promise<T>;
