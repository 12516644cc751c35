import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { writeZip } from '../../../src/formats/zip/zip.fixture.js';
import { tokenFor } from '../../support/client.js';
import { Hospital, sha256Of } from '../../support/hospital.js';
import { multiFrame, TRANSFER_SYNTAXES } from '../../support/transfer-syntaxes.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(30_000);

let world: World;
let hospital: Hospital;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  await world.startWorker();
  hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, await world.newTenant()));
});
afterAll(() => world.close());

const indexed = async (sopInstanceUid: string) =>
  (
    await world.admin.query(
      `SELECT transfer_syntax_uid AS syntax, number_of_frames AS frames, rows, patient_id FROM instance WHERE sop_instance_uid = $1`,
      [sopInstanceUid],
    )
  ).rows;

describe('an object of two frames with private tags', () => {
  it('comes in at least fifteen transfer syntaxes here', () => {
    expect(new Set(TRANSFER_SYNTAXES.map(([, uid]) => uid)).size).toBeGreaterThanOrEqual(15);
  });

  it.each(TRANSFER_SYNTAXES)('is kept byte by byte and read: %s', async (_, uid, pixels) => {
    const bytes = multiFrame(uid, pixels());
    const digest = sha256Of(bytes);
    const upload = await hospital.deliver(bytes, `?sha256=${digest}&size=${bytes.length}`);
    expect(upload).toMatchObject({ state: 'registered', sha256: digest, size: bytes.length });
    expect(sha256Of(await hospital.download(upload.id))).toBe(digest);
    expect(await indexed(upload.result.sop_uid)).toEqual([
      { syntax: uid, frames: 2, rows: 16, patient_id: 'P-1' },
    ]);
  });

  it('is kept the same out of a ZIP', async () => {
    const objects = TRANSFER_SYNTAXES.map(([, uid, pixels]) => multiFrame(uid, pixels()));
    for (const bytes of objects) {
      const upload = await hospital.deliver(writeZip([{ name: 'IM0', data: bytes }]));
      expect(upload.state).toBe('registered');
      const { rows } = await world.admin.query('SELECT id FROM upload WHERE parent_id = $1', [upload.id]);
      expect(sha256Of(await hospital.download(rows[0].id))).toBe(sha256Of(bytes));
    }
  });
});
