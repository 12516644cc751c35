import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BUILT_IN_ROLES } from '../../src/modules/access/built-in-roles.js';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import '../../src/modules/cases/cases.policy.js';
import { PatientFilesService } from '../../src/modules/cases/patient-files.service.js';
import { compileAbility } from '../../src/platform/authorization/ability.js';
import type { Caller } from '../../src/platform/authorization/principal.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder } from '../support/ledger-checks.js';
import { insertOrganization } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { atEveryStep, MINUTE } from './every-step.js';
import { FileApi, FileWorker } from './file-incarnation.js';

const DAY = 24 * 60 * MINUTE;
const BYTES = Buffer.from('Blood pressure 120/80\n');

let stack: Stack;
let apiSide: Outside;
let workerSide: Outside;

beforeAll(async () => {
  stack = await startStack();
  const outside = (config: Stack['config']): Outside => ({
    config,
    database: new DatabaseService(config),
    storage: new StorageService(config),
  });
  apiSide = outside(stack.config);
  workerSide = outside(stack.workerConfig);
});
afterAll(async () => {
  for (const { database, storage } of [apiSide, workerSide]) {
    await database.onApplicationShutdown();
    storage.onApplicationShutdown();
  }
  await stack.close();
});

interface Scene {
  clock: MovableClock;
  worker: FileWorker;
  caller: Caller;
  body: object;
}

/** A patient with a case. */
async function scene(): Promise<Scene> {
  const clock = new MovableClock();
  const organizationId = await insertOrganization(stack.admin);
  const [id, caseId] = [randomUUID(), randomUUID()];
  await stack.admin.query(
    `INSERT INTO "user" (id, organization_id, kind, first_name, last_name, email, created_at)
     VALUES ($1, $2, 'patient', 'Jane', 'Doe', $3, now())`,
    [id, organizationId, `${id}@patients.example`],
  );
  await stack.admin.query(
    `INSERT INTO patient_case (id, organization_id, patient_id, created_by_kind, created_by_id, created_at)
     VALUES ($1, $2, $3, 'client', $3, now())`,
    [caseId, organizationId, id],
  );
  const principal = { kind: 'user' as const, id, organizationId, label: '' };
  const ability = compileAbility(BUILT_IN_ROLES.patient!, principal);
  return {
    clock,
    worker: new FileWorker(workerSide, clock),
    caller: {
      principal,
      scopes: ['files:read', 'files:write'],
      ability,
      request: { requestId: randomUUID() },
    },
    body: { name: 'note.txt', mimeType: 'text/plain', caseId, data: BYTES.toString('base64') },
  };
}

interface Row {
  id: string;
  shown: boolean;
  reason: string | null;
  state: string;
}
const rowsOf = async ({ caller }: Scene): Promise<Row[]> =>
  (
    await stack.admin.query<Row>(
      `SELECT f.id, f.visible_at IS NOT NULL AS shown, f.deleted_reason AS reason, u.state::text FROM patient_file f
       JOIN upload u ON u.id = f.upload_id WHERE f.organization_id = $1 ORDER BY f.created_at, f.id`,
      [caller.principal.organizationId],
    )
  ).rows;

/** What the patient sees: each file's id, all of whose bytes are as they were sent. */
async function seen({ caller, clock }: Scene): Promise<string[]> {
  const { database, storage } = apiSide;
  const files = new PatientFilesService(database, storage, new AuditService(database, clock), clock);
  const { files: page } = await files.list(caller, { limit: 100 });
  for (const { id } of page) {
    const { downloadUrl } = await files.download(caller, id);
    const bytes = Buffer.from(await (await fetch(downloadUrl)).arrayBuffer());
    expect(bytes.equals(BYTES)).toBe(true);
  }
  return page.map(({ id }) => id);
}

/** Every file is there with its bytes, or given up and its upload with it. */
async function settled(at: Scene): Promise<Row[]> {
  const rows = await rowsOf(at);
  for (const { shown, reason, state } of rows)
    expect([shown, reason, state]).toEqual(
      shown ? [true, null, 'registered'] : [false, 'upload failed', expect.stringMatching(/deleted|purged/)],
    );
  expect(await seen(at)).toEqual(rows.filter(({ shown }) => shown).map(({ id }) => id));
  const { rows: told } = await stack.admin.query<{ id: string }>(
    `SELECT resource_id AS id FROM audit_event WHERE organization_id = $1 AND action = 'files:discard' ORDER BY 1`,
    [at.caller.principal.organizationId],
  );
  const gone = rows.filter(({ shown }) => !shown).map(({ id }) => id);
  expect(told.map(({ id }) => id)).toEqual(gone.sort());
  return rows;
}

/** Days go by. What is left in the bucket is one content if a file is shown, else nothing. */
async function swept({ clock, worker, caller }: Scene, shown: number): Promise<void> {
  const { organizationId } = caller.principal;
  for (let day = 0; day < 3; day++) {
    clock.travel(DAY + MINUTE);
    await worker.live(1);
  }
  expect(await findDisagreements(stack, organizationId, { swept: true })).toEqual([]);
  expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(shown);
}

type Outcome = { id: string } | { status: number };
const told = (upload: Promise<{ id: string }>): Promise<Outcome> =>
  upload.then(
    ({ id }) => ({ id }),
    ({ status }: { status: number }) => ({ status }),
  );

/** Some time after whatever happened: the reconciler passes, the clock three minutes on. */
async function later({ clock, worker }: Scene): Promise<void> {
  clock.travel(3 * MINUTE);
  await worker.live(2);
}

describe.each([
  ['and its jobs are worked off', (worker: FileWorker) => worker.discardQueued()],
  ['and its jobs are lost', (worker: FileWorker) => Promise.resolve(void worker.discarding.splice(0))],
  [
    'and the reconciler verifies what came before anything is discarded',
    (worker: FileWorker) => worker.live(1),
  ],
])('an API that dies, or whose call fails, at any step of an upload, %s', (_, meanwhile) => {
  it('leaves a file with its bytes or nothing, and a repetition makes one', async () => {
    await atEveryStep(async (fault, name) => {
      const at = await scene();
      const api = new FileApi(apiSide, at.clock, at.worker, fault);
      const outcome = await told(api.upload(at.caller, at.body, 'key'));
      await meanwhile(at.worker);
      await later(at);
      const shown = (await settled(at)).filter((row) => row.shown);
      if ('id' in outcome)
        expect([name(api), shown]).toEqual([name(api), [expect.objectContaining(outcome)]]);
      else if (!api.died) expect([name(api), shown]).toEqual([name(api), []]);

      const again = await told(new FileApi(apiSide, at.clock, at.worker).upload(at.caller, at.body, 'key'));
      expect([name(api), again]).toEqual([name(api), { id: expect.any(String) }]);
      expect([name(api), await seen(at)]).toEqual([name(api), Object.values(again)]);
      if (shown.length > 0) expect(again).toMatchObject({ id: shown[0]!.id });
      await later(at);
      await settled(at);
      await swept(at, 1);
      return api;
    });
  }, 120_000);
});

describe('a repetition that comes at once after an API that dies, or whose call fails', () => {
  it('ends in one file, whatever the worker does in between', async () => {
    await atEveryStep(async (fault, name) => {
      const at = await scene();
      const api = new FileApi(apiSide, at.clock, at.worker, fault);
      await told(api.upload(at.caller, at.body, 'key'));
      const again = await told(new FileApi(apiSide, at.clock, at.worker).upload(at.caller, at.body, 'key'));
      expect([name(api), again]).toEqual([name(api), { id: expect.any(String) }]);
      await at.worker.discardQueued();
      await later(at);
      expect([name(api), await seen(at)]).toEqual([name(api), Object.values(again)]);
      await settled(at);
      await swept(at, 1);
      return api;
    });
  }, 120_000);
});

describe('a worker that dies, or whose call fails, at any step of a discard', () => {
  it.each<[string, boolean]>([
    ['of an upload that never came', false],
    ['of one whose bytes came all the same', true],
  ])(
    '%s, leaves nothing',
    async (_, came) => {
      await atEveryStep(async (fault, name) => {
        const at = await scene();
        const broken = { step: 2, kind: came ? 'unanswered' : 'refused' } as const; // the PUT
        const api = new FileApi(apiSide, at.clock, at.worker, broken);
        expect(await told(api.upload(at.caller, at.body))).toEqual({ status: 500 });
        expect(api.struck).toBe('put');
        if (came) await at.worker.live(1);

        const worker = new FileWorker(workerSide, at.clock, fault);
        worker.discarding.push(...at.worker.discarding.splice(0));
        await worker.discardQueued();
        await worker.live(1);
        await later(at);
        expect([name(worker), await settled(at)]).toEqual([
          name(worker),
          [expect.objectContaining({ shown: false, state: 'deleted' })],
        ]);
        await swept(at, 0);
        return worker;
      });
    },
    120_000,
  );
});
