import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { EXPORTS } from '../contract/exports-calls.js';
import { SYSTEM_ACTIONS } from '../contract/system-actions.js';
import { ctInstance } from '../support/dicom-files.js';
import { createExam } from '../support/exam.js';
import { Clinic } from '../support/clinic.js';
import { Hospital } from '../support/hospital.js';
import { ORGANIZATIONS, platformOwner } from '../support/platform.js';
import { Portal } from '../support/portal.js';
import { PostOffice } from '../support/post-office.js';
import { pause } from '../support/uploader.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { IMPATIENT, LEDGER_FAULTS } from './ledger-faults.js';
import { QuietWorker } from './quiet-worker.js';
import { wholeState } from './whole-state.js';

/**
 * Everything a worker does is made ready for it. Then the ledger is taken away in each of the ways it can be, and the worker
 * goes through its passes: nothing may come of them but a note that it tried. In the end the ledger is back, and all is done
 * and told of.
 */
jest.setTimeout(600_000);

const MINUTE = 60_000;
/**
 * When what stands still is queued again, and, an hour later each time, when files are given up, URLs have expired and the
 * deleted is purged: what was tried a minute ago is not tried again.
 */
let hours = 3;
const passes = (): number[] => [MINUTE + 5_000, hours++ * 60 * MINUTE];

/** That somebody has tried, and the copies made for it: nobody else sees them, and the next try replaces them. */
const TRIED: Record<string, string[]> = {
  audit_export: [
    'attempts',
    'tries',
    'progressed_at',
    'failure',
    'seal_number',
    'first_position',
    'next_position',
    'end_position',
    'rows',
    'bytes',
    'multipart_key',
    'multipart_id',
    'written',
    'progress_mac',
  ],
  upload: ['copy_attempts'],
  organization_deletion: [
    'attempts',
    'progressed_at',
    'failure',
    'multipart_key',
    'multipart_id',
    'export_rows',
    'export_bytes',
  ],
};
const TRIED_TABLES = ['object_copy', 'audit_export_part'];
const TRIED_OBJECTS = /^object (exports|objects)\//;

/** A code that was queued again is not queued once more within this time of the machine, whatever the worker’s clock says. */
const REMEMBERED_MS = 15_500;

let office: PostOffice;
let world: World;
let worker: QuietWorker;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld(
    {
      ...office.environment,
      RECONCILE_INTERVAL_MS: '86400000',
      AUDIT_SEAL_INTERVAL_MS: '86400000',
      PURGE_AFTER_HOURS: '1',
    },
    IMPATIENT,
  );
  worker = await QuietWorker.start(world);
  await prepare();
});
afterAll(async () => {
  await world.close();
  await office.close();
});

async function prepare(): Promise<void> {
  const tenant = await world.newTenant();
  const hospital = new Hospital(world.baseUrl, tenant.apiKey);
  const platform = await platformOwner(world);

  // An organization that was emptied, whose purge is to be finished.
  const input = { name: 'Leaving', owner: { email: `${randomUUID()}@staff.example` } };
  const emptied = (await platform.post(ORGANIZATIONS, input)).body.id as string;
  await platform.post(`${ORGANIZATIONS}/${emptied}/deletion`, {});
  expect(await worker.live(0)).toEqual([]);
  expect((await platform.post(`${ORGANIZATIONS}/${emptied}/purge`, { name: input.name })).status).toBe(202);
  for (const later of [0, 2 * MINUTE]) expect(await worker.live(later)).toEqual([]);

  // One that is to be exported.
  const leaving = (
    await platform.post(ORGANIZATIONS, { ...input, owner: { email: `${randomUUID()}@staff.example` } })
  ).body.id;
  await platform.post(`${ORGANIZATIONS}/${leaving}/deletion`, {});
  // Of the ledger, as far as it was sealed and anchored when the organizations were seen to.
  expect(await sealed(tenant)).toBeGreaterThan(0);
  expect((await hospital.post(EXPORTS, { format: 'ndjson' })).status).toBe(202);
  // An attempt at each has begun before: that one is under way is no part of what comes of it.
  await world.admin.query(`UPDATE organization_deletion SET state = 'exporting' WHERE state = 'requested'`);
  await world.admin.query(`UPDATE audit_export SET state = 'running' WHERE state = 'queued'`);

  for (const bytes of [ctInstance(), Buffer.from('nothing that anybody could read')]) {
    const id = await hospital.send(bytes);
    expect((await hospital.post(`/uploads/${id}/complete`)).status).toBe(200);
  }
  await hospital.send(ctInstance()); // found in the bucket by nobody but the worker
  await hospital.issue(); // of which nothing comes
  const { exam_id: exam } = await createExam(hospital, { 'a.dcm': 9 });
  expect((await hospital.delete(`/api/v1/exams/${exam}`)).status).toBe(204);

  expect(
    (await hospital.post('/api/v1/admin/users', { email: `${randomUUID()}@staff.example` })).status,
  ).toBe(201);

  const clinic = await Clinic.open(world, tenant);
  const { patient } = await clinic.admit();
  await world.admin.query(
    `CREATE FUNCTION refuse_upload() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
     CREATE TRIGGER refuse_upload BEFORE INSERT ON audit_event FOR EACH ROW WHEN (NEW.action = 'files:upload' AND NEW.outcome = 'success')
     EXECUTE FUNCTION refuse_upload()`,
  );
  expect((await patient.upload('bytes')).status).toBe(500); // to be discarded
  await world.admin.query('DROP TRIGGER refuse_upload ON audit_event; DROP FUNCTION refuse_upload()');

  const portal = new Portal(world, tenant.organizationId, clinic.portalKey);
  const email = `${randomUUID()}@patients.example`;
  await portal.newPatient({ email });
  expect((await portal.sendCode({ email })).status).toBe(200);
}

const sealed = async ({ organizationId }: Tenant): Promise<number> =>
  (
    await world.admin.query<{ events: number }>(
      'SELECT coalesce(sum(size), 0)::int AS events FROM audit_tree WHERE organization_id = $1',
      [organizationId],
    )
  ).rows[0]!.events;

/** All but what says that somebody tried. */
async function stateWithout(): Promise<Record<string, string>> {
  const state = await wholeState(world, TRIED);
  for (const name of Object.keys(state))
    if (TRIED_TABLES.includes(name) || TRIED_OBJECTS.test(name)) delete state[name];
  return state;
}

const actionsToldOf = async (): Promise<string[]> => {
  const { rows } = await world.admin.query<{ action: string }>(
    `SELECT DISTINCT action FROM audit_event WHERE actor_kind = 'system' AND actor_id <> 'operator' AND outcome = 'success' ORDER BY 1`,
  );
  return rows.map(({ action }) => action);
};

describe.each(LEDGER_FAULTS)('while the ledger is $name', ({ strike }) => {
  it('a worker does nothing, gives nothing up, and says so', async () => {
    const before = await stateWithout();
    const errors: unknown[] = [];
    const repair = await strike(world);
    try {
      for (const later of passes()) errors.push(...(await worker.live(later)));
    } finally {
      await repair();
    }
    expect(await stateWithout()).toEqual(before);
    expect(errors.length).toBeGreaterThan(3);
  });
});

it('when it is back, all is done, and each of it is told of', async () => {
  await pause(REMEMBERED_MS);
  for (const later of [...passes(), ...passes()]) await worker.live(later);
  const { rows } = await world.admin.query<{ state: string }>(
    'SELECT DISTINCT state::text FROM upload WHERE parked_at IS NOT NULL',
  );
  expect(rows).toEqual([]);
  const ofWorkers = Object.entries(SYSTEM_ACTIONS).flatMap(([action, by]) =>
    by === 'worker' ? [action] : [],
  );
  expect(await actionsToldOf()).toEqual(ofWorkers.sort());
});
