import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { insertIssued } from '../../src/modules/uploads/upload.issue.js';
import {
  countFailure,
  deleteOfExam,
  expire,
  land,
  LATE_LANDING_MS,
  purge,
  recordCopies,
  register,
  reject,
  verify,
} from '../../src/modules/uploads/upload.ledger.js';
import { rejection } from '../../src/modules/uploads/uploads.rules.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import type { SqlTransaction } from '../../src/platform/database/sql-transaction.js';
import { insertExam, insertOrganization } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';

/**
 * The ledger against a model of it: random sequences of its operations, some of them two at once, on real Postgres. The
 * model knows which transition may happen; whatever may not must have moved nothing.
 */

const SLOTS = 3;
const SIZE = 7;
const LIFETIME_MS = 900_000;
const PARK_AT = 3;
const START = new Date('2026-03-01T12:00:00Z').getTime();

type State = 'issued' | 'landed' | 'verified' | 'registered' | 'rejected' | 'expired' | 'deleted' | 'purged';

const STATES: State[] = [
  'issued',
  'landed',
  'verified',
  'registered',
  'rejected',
  'expired',
  'deleted',
  'purged',
];

/** What the design allows (docs: the states of an upload). */
const LEGAL: [State, State][] = [
  ['issued', 'landed'],
  ['issued', 'expired'],
  ['expired', 'landed'],
  ['landed', 'verified'],
  ['landed', 'rejected'],
  ['verified', 'registered'],
  ['verified', 'rejected'],
  ['issued', 'deleted'],
  ['landed', 'deleted'],
  ['verified', 'deleted'],
  ['registered', 'deleted'],
  ['rejected', 'deleted'],
  ['expired', 'deleted'],
  ['deleted', 'purged'],
];

interface Upload {
  state: State;
  slot: number;
  expiresAt: number;
  attempts: number;
  /** Copies the sweeper gave up. */
  abandoned: number[];
  failures: number;
  parked: boolean;
  object: boolean;
}

/** Uploads by their number, in the order of their issue. */
type Model = Upload[];

/** One operation on uploads by their number; those that do not exist (yet) are left out. */
type Operation =
  | { kind: 'issue'; slot: number }
  | { kind: 'land'; at: number[]; size: number }
  | { kind: 'expire' | 'copy' | 'reject' | 'register' | 'purge'; at: number[] }
  | { kind: 'verify'; at: number[]; attempt: number }
  | { kind: 'abandon'; at: number[]; attempt: number }
  | { kind: 'fail'; at: number[] }
  | { kind: 'delete' };

type Step = { kind: 'wait'; milliseconds: number } | { kind: 'do'; operations: Operation[] };

let stack: Stack;
let database: DatabaseService;

beforeAll(async () => {
  stack = await startStack();
  database = new DatabaseService(stack.workerConfig);
}, 60_000);
afterAll(async () => {
  await database.onApplicationShutdown();
  await stack.close();
}, 60_000);

/** What the operation makes of one upload. */
function moved(upload: Upload, operation: Operation, now: number): Upload {
  const { state } = upload;
  const to = (next: State, more: Partial<Upload> = {}): Upload => ({ ...upload, state: next, ...more });
  switch (operation.kind) {
    case 'land': {
      const late = upload.expiresAt <= now - LATE_LANDING_MS;
      return state === 'issued' || (state === 'expired' && !late) ? to('landed') : upload;
    }
    case 'expire':
      return state === 'issued' ? to('expired') : upload;
    case 'copy':
      return state === 'landed' ? { ...upload, attempts: upload.attempts + 1 } : upload;
    case 'abandon':
      return upload.attempts >= operation.attempt
        ? { ...upload, abandoned: [...new Set([...upload.abandoned, operation.attempt])].sort() }
        : upload;
    case 'verify': {
      const copied = operation.attempt <= upload.attempts && !upload.abandoned.includes(operation.attempt);
      return state === 'landed' && copied ? to('verified') : upload;
    }
    case 'reject':
      return state === 'landed' || state === 'verified' ? to('rejected') : upload;
    case 'register':
      return state === 'verified' ? to('registered', { object: true }) : upload;
    case 'fail':
      return state === 'landed' || state === 'verified'
        ? { ...upload, failures: upload.failures + 1, parked: upload.failures + 1 >= PARK_AT }
        : upload;
    case 'purge':
      return state === 'deleted' ? to('purged', { object: false }) : upload;
    default:
      return upload;
  }
}

function applied(model: Model, operation: Operation, now: number): Model {
  switch (operation.kind) {
    case 'issue':
      return [
        ...model,
        {
          state: 'issued',
          slot: operation.slot,
          expiresAt: now + LIFETIME_MS,
          attempts: 0,
          abandoned: [],
          failures: 0,
          parked: false,
          object: false,
        },
      ];
    case 'delete':
      return model.map((upload) => (upload.state === 'purged' ? upload : { ...upload, state: 'deleted' }));
    default:
      return model.map((upload, number) =>
        operation.at.includes(number) ? moved(upload, operation, now) : upload,
      );
  }
}

/** One ledger, with what its operations refer to. */
class Ledger {
  readonly ids: string[] = [];

  private constructor(
    private readonly organizationId: string,
    private readonly examId: string,
    private readonly slots: string[],
    private readonly objectId: string,
    private readonly studyId: string,
  ) {}

  static async open(): Promise<Ledger> {
    const organizationId = await insertOrganization(stack.admin);
    const names = Array.from({ length: SLOTS }, (_, index) => [`${index}`, new Uint8Array(SIZE)] as const);
    const now = new Date(START);
    const exam = await insertExam(stack.admin, database, organizationId, Object.fromEntries(names), now);
    const { rows } = await stack.admin.query<{ id: string; slot_id: string }>(
      'SELECT u.id, u.slot_id FROM upload u JOIN slot s ON s.id = u.slot_id WHERE s.exam_id = $1 ORDER BY s.position',
      [exam.examId],
    );
    const [objectId, studyId] = [newId(), newId()];
    await stack.admin.query(
      `INSERT INTO stored_object (id, organization_id, sha256, size, key, kind, created_at) VALUES ($1, $2, '\\x00', 7, 'k', 'dicom', now())`,
      [objectId, organizationId],
    );
    await stack.admin.query(
      `INSERT INTO study (id, organization_id, study_instance_uid, created_at, updated_at) VALUES ($1, $2, '1.2', now(), now())`,
      [studyId, organizationId],
    );
    const slots = rows.map(({ slot_id }) => slot_id);
    const ledger = new Ledger(organizationId, exam.examId, slots, objectId, studyId);
    ledger.ids.push(...rows.map(({ id }) => id));
    return ledger;
  }

  async run(operation: Operation, now: Date): Promise<void> {
    // A new upload's number must be known before another operation of the same moment begins.
    const issued = operation.kind === 'issue' ? newId() : undefined;
    if (issued) this.ids.push(issued);
    await database.withOrganizationSql(this.organizationId, (tx) => this.perform(tx, operation, now, issued));
  }

  private async perform(tx: SqlTransaction, operation: Operation, now: Date, issued?: string): Promise<void> {
    const { organizationId } = this;
    const ids = 'at' in operation ? operation.at.flatMap((number) => this.ids[number] ?? []) : [];
    switch (operation.kind) {
      case 'issue': {
        const validity = { issuedAt: now, urlExpiresAt: new Date(now.getTime() + LIFETIME_MS) };
        const principal = { kind: 'api_key' as const, id: newId() };
        const upload = {
          id: issued!,
          surface: 'exams' as const,
          principal,
          slotId: this.slots[operation.slot]!,
          size: SIZE,
        };
        return insertIssued(tx, organizationId, validity, [upload]);
      }
      case 'land': {
        const facts = { size: operation.size, etag: '"e"', modifiedAt: now };
        await land(
          tx,
          organizationId,
          ids.map((uploadId) => ({ uploadId, ...facts })),
          now,
        );
        return;
      }
      case 'expire':
        await expire(tx, organizationId, ids, now);
        return;
      case 'copy':
        await recordCopies(tx, organizationId, ids, now);
        return;
      case 'abandon':
        await tx.$executeRaw`
          UPDATE object_copy SET abandoned_at = ${now}::timestamptz WHERE organization_id = ${organizationId}::uuid
            AND upload_id = ANY (${ids}::uuid[]) AND attempt = ${operation.attempt}::int`;
        return;
      case 'verify':
        await verify(
          tx,
          organizationId,
          ids.map((uploadId) => ({ uploadId, attempt: operation.attempt })),
          now,
        );
        return;
      case 'reject':
        await reject(
          tx,
          organizationId,
          ids.map((uploadId) => ({ uploadId, rejection: rejection('size.mismatch') })),
          now,
        );
        return;
      case 'register':
        await register(
          tx,
          organizationId,
          ids.map((uploadId) => ({
            uploadId,
            storedObjectId: this.objectId,
            studyId: this.studyId,
            duplicate: false,
          })),
          now,
        );
        return;
      case 'fail':
        for (const id of ids)
          await countFailure(tx, organizationId, id, { reason: 'Error', parkAt: PARK_AT, now });
        return;
      case 'delete':
        await deleteOfExam(tx, organizationId, this.examId, 'exam deleted', now);
        return;
      case 'purge':
        await purge(tx, organizationId, ids, now);
    }
  }

  /** What the rows say, in the model's terms. */
  async read(): Promise<Model> {
    const { rows } = await stack.admin.query<Upload & { id: string; slot_id: string; expires_at: Date }>(
      `SELECT u.id, u.state::text, u.slot_id, u.url_expires_at AS expires_at, u.copy_attempts AS attempts, u.failures,
              u.parked_at IS NOT NULL AS parked, u.stored_object_id IS NOT NULL AS object,
              ARRAY(SELECT c.attempt FROM object_copy c WHERE c.upload_id = u.id AND c.abandoned_at IS NOT NULL ORDER BY 1) AS abandoned
       FROM upload u WHERE u.organization_id = $1`,
      [this.organizationId],
    );
    const byId = new Map(
      rows.map(({ id, slot_id, expires_at, ...row }) => [
        id,
        { ...row, slot: this.slots.indexOf(slot_id), expiresAt: expires_at.getTime() },
      ]),
    );
    expect(byId.size).toBe(this.ids.length); // the books: what was ever issued is all there, and nothing else
    return this.ids.map((id) => byId.get(id)!);
  }

  /** Which upload fills each slot. */
  async filled(): Promise<(number | null)[]> {
    const { rows } = await stack.admin.query<{ filled_by_id: string | null }>(
      'SELECT filled_by_id FROM slot WHERE exam_id = $1 ORDER BY position',
      [this.examId],
    );
    return rows.map(({ filled_by_id }) => (filled_by_id ? this.ids.indexOf(filled_by_id) : null));
  }
}

const uploads = fc.uniqueArray(fc.nat({ max: 7 }), { minLength: 1, maxLength: 4 });
const attempt = fc.integer({ min: 1, max: 3 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('issue'), slot: fc.nat({ max: SLOTS - 1 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('land'),
      at: uploads,
      size: fc.constantFrom(SIZE, SIZE, SIZE + 1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'expire',
        'copy',
        'copy',
        'copy',
        'reject',
        'register',
        'register',
        'fail',
        'purge',
      ),
      at: uploads,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('verify'), at: uploads, attempt }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon'), at: uploads, attempt }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete') }) },
) as fc.Arbitrary<Operation>;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      milliseconds: fc.constantFrom(LIFETIME_MS, LATE_LANDING_MS - 1, LATE_LANDING_MS),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('do' as const),
      operations: fc.oneof(
        { weight: 2, arbitrary: fc.tuple(operation) },
        { weight: 1, arbitrary: fc.tuple(operation, operation) },
      ),
    }),
  },
);

describe('the upload ledger', () => {
  it('moves as its model does, one operation after the other and two at once', async () => {
    const reached = new Set<State>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 45 }), async (steps) => {
        const ledger = await Ledger.open();
        let model = await ledger.read();
        let slots = await ledger.filled();
        let now = START;
        for (const current of steps) {
          if (current.kind === 'wait') {
            now += current.milliseconds;
            continue;
          }
          const [first, second] = current.operations;
          await Promise.all(current.operations.map((one) => ledger.run(one, new Date(now))));
          const rows = await ledger.read();
          const oneWay = current.operations.reduce((at, one) => applied(at, one, now), model);
          const otherWay = second ? applied(applied(model, second, now), first!, now) : oneWay;
          // Two at once are as one after the other, in either order: per upload, as each row has a lock of its own.
          rows.forEach((row, number) => expect([oneWay[number], otherWay[number]]).toContainEqual(row));

          const filled = await ledger.filled();
          filled.forEach((by, slot) => {
            if (slots[slot] !== null) return expect(by).toBe(slots[slot]); // the first one stays
            const candidates = current.operations.flatMap((one) =>
              (one.kind === 'land' && one.size === SIZE) || one.kind === 'register' ? one.at : [],
            );
            const landed = candidates.filter(
              (number) => rows[number]?.slot === slot && rows[number].state !== model[number]?.state,
            );
            if (by !== null) expect(landed).toContain(by);
            else if (!second) expect(landed).toEqual([]);
          });
          [model, slots] = [rows, filled];
          for (const { state } of model) reached.add(state);
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
    expect([...reached].sort()).toEqual([...STATES].sort()); // else the sequences prove little
  }, 180_000);

  it('refuses every other transition below the application, to anybody', async () => {
    const ledger = await Ledger.open();
    const id = ledger.ids[0]!;
    const facts = `landed_size = 7, rejection_rule = 'x', stored_object_id = (SELECT id FROM stored_object o
                   WHERE o.organization_id = upload.organization_id)`;
    for (const from of STATES)
      for (const to of STATES) {
        const client = await stack.admin.connect();
        try {
          await client.query('BEGIN');
          await client.query('ALTER TABLE upload DISABLE TRIGGER upload_guard_transition');
          await client.query(`UPDATE upload SET state = '${from}', ${facts} WHERE id = $1`, [id]);
          await client.query('ALTER TABLE upload ENABLE TRIGGER upload_guard_transition');
          const outcome = await client.query(`UPDATE upload SET state = '${to}' WHERE id = $1`, [id]).then(
            () => 'moved',
            (error: Error) => error.message,
          );
          const legal = from === to || LEGAL.some(([a, b]) => a === from && b === to);
          expect(outcome).toBe(legal ? 'moved' : `illegal upload transition: ${from} -> ${to}`);
        } finally {
          await client.query('ROLLBACK');
          client.release();
        }
      }
  }, 30_000);
});
