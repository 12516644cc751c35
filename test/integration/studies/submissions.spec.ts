import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findDisagreements } from '../../support/ledger-checks.js';
import { MINUTE, type Scene, SECOND, StudyMaker, Theatre } from './scene.js';

let theatre: Theatre;
let scene: Scene;
let study: StudyMaker;

beforeAll(async () => {
  theatre = await Theatre.open();
});
afterAll(() => theatre.close());
beforeEach(async () => {
  scene = await theatre.scene();
  study = new StudyMaker();
});

const ready = () => scene.events('study.ready');
const wrong = () => findDisagreements(theatre.stack, scene.organizationId);
const present = async () => {
  const generations = await scene.submissions(study);
  return generations.at(-1);
};

describe('the idle minute', () => {
  it('ends a minute after the last landing, by the bucket’s time, and says so once', async () => {
    const { orderId } = await scene.upload(await scene.send(study.bytes('a'), 0));
    await scene.send(study.bytes('b'), 59_900);
    expect(await scene.submissions(study)).toEqual([
      { generation: 1, state: 'open', lastLanded: 59_900, closes: 119_900 },
    ]);
    await scene.pass(119_899);
    expect([(await present())!.state, await ready()]).toEqual(['open', []]);
    await scene.pass(119_900);
    const event = { study_uid: study.uid, generation: 1, order_ids: [orderId] };
    expect([(await present())!.state, await ready()]).toEqual(['closed', [event]]);
    await scene.pass(10 * MINUTE);
    expect(await ready()).toEqual([event]);
    expect(await wrong()).toEqual([]);
  });

  it('knows nothing of when it was noticed or verified', async () => {
    const late = await scene.land(study.bytes('a'), 0);
    scene.clock.time += 40 * SECOND;
    await scene.verify(late);
    expect(await present()).toMatchObject({ lastLanded: 0, closes: MINUTE });
  });
});

describe('within five minutes of the last landing', () => {
  it('other bytes under the same UID replace, and the old ones stay', async () => {
    const old = await scene.send(study.bytes('a'), 0);
    const kept = await scene.send(study.bytes('b'), 0);
    await scene.pass(MINUTE);
    const fresh = await scene.send(study.bytes('a'), 5 * MINUTE);
    expect(await scene.submissions(study)).toEqual([
      { generation: 1, state: 'open', lastLanded: 5 * MINUTE, closes: 6 * MINUTE },
    ]);
    expect(await scene.shown(study, 1)).toEqual({ a: fresh, b: kept });
    const { state, key } = await scene.upload(old);
    expect(state).toBe('registered');
    expect(await theatre.outside.storage.head(key!)).toBeDefined();
    await scene.pass(6 * MINUTE);
    expect((await ready()).map(({ generation }) => generation)).toEqual([1, 1]);
    expect(await wrong()).toEqual([]);
  });

  it('a new instance joins and opens it again', async () => {
    await scene.send(study.bytes('a'), 0);
    await scene.pass(MINUTE);
    expect((await present())!.state).toBe('closed');
    await scene.send(study.bytes('b'), 3 * MINUTE);
    expect(await present()).toEqual({
      generation: 1,
      state: 'open',
      lastLanded: 3 * MINUTE,
      closes: 4 * MINUTE,
    });
    await scene.pass(4 * MINUTE - 1);
    expect(await ready()).toHaveLength(1);
    await scene.pass(4 * MINUTE);
    expect(await ready()).toHaveLength(2);
  });

  it('identical bytes do nothing: they neither extend, nor open, nor begin anything', async () => {
    const bytes = study.bytes('a');
    const first = await scene.send(bytes, 0);
    const again = await scene.send(bytes, 30 * SECOND);
    expect(await scene.upload(again)).toMatchObject({
      state: 'registered',
      duplicate: true,
      orderId: (await scene.upload(first)).orderId,
      studyId: (await scene.upload(first)).studyId,
    });
    expect(await present()).toMatchObject({ state: 'open', lastLanded: 0, closes: MINUTE });
    await scene.pass(MINUTE);
    await scene.send(bytes, 3 * MINUTE);
    await scene.send(bytes, 20 * MINUTE);
    expect(await scene.submissions(study)).toEqual([
      { generation: 1, state: 'closed', lastLanded: 0, closes: MINUTE },
    ]);
    await scene.pass(30 * MINUTE);
    expect([await ready(), await scene.orders()]).toEqual([[expect.anything()], [expect.anything()]]);
    expect(await wrong()).toEqual([]);
  });
});

describe('after five minutes', () => {
  it('a new generation begins with the former’s instances and replaces those that were sent', async () => {
    const [a, b] = [await scene.send(study.bytes('a'), 0), await scene.send(study.bytes('b'), 0)];
    await scene.pass(MINUTE);
    const later = 5 * MINUTE + 1;
    const fresh = await scene.send(study.bytes('a'), later);
    const added = await scene.send(study.bytes('c'), later);
    expect(await scene.submissions(study)).toEqual([
      { generation: 1, state: 'superseded', lastLanded: 0, closes: MINUTE },
      { generation: 2, state: 'open', lastLanded: later, closes: later + MINUTE },
    ]);
    expect(await scene.shown(study, 1)).toEqual({ a, b });
    expect(await scene.shown(study, 2)).toEqual({ a: fresh, b, c: added });
    await scene.pass(later + MINUTE);
    expect((await ready()).map(({ generation }) => generation)).toEqual([1, 2]);
    expect(await wrong()).toEqual([]);
  });

  it('and so on', async () => {
    const shown: Record<string, string>[] = [];
    for (const [number, name] of ['a', 'b', 'a', 'c'].entries()) {
      const upload = await scene.send(study.bytes(name), number * 6 * MINUTE);
      shown.push({ ...shown.at(-1), [name]: upload });
    }
    for (const [index, instances] of shown.entries())
      expect(await scene.shown(study, index + 1)).toEqual(instances);
    expect((await scene.submissions(study)).map(({ state }) => state)).toEqual([
      'superseded',
      'superseded',
      'superseded',
      'open',
    ]);
  });

  it('what stands for the study is said anew, and what says otherwise is marked anew', async () => {
    const name = (PatientName: string) => ({ PatientName });
    await scene.send(study.bytes('a', name('Old^Name')), 0);
    await scene.send(study.bytes('b', name('New^Name')), 0);
    const marks = () =>
      scene.query(
        `SELECT disagreements AS marks FROM instance WHERE organization_id = $1 AND sop_instance_uid = ANY ($2)
         ORDER BY array_position($2, sop_instance_uid), generation`,
        [[study.sop('a'), study.sop('b'), study.sop('c')]],
      );
    const differs = { marks: name('New^Name') };
    expect(await marks()).toEqual([{ marks: null }, differs]);
    await scene.send(study.bytes('c', name('New^Name')), 10 * MINUTE);
    const [row] = await scene.query<{ patient_name: string }>(
      'SELECT patient_name FROM study WHERE organization_id = $1',
    );
    expect(row!.patient_name).toBe('New^Name');
    expect(await marks()).toEqual([{ marks: name('Old^Name') }, { marks: null }, { marks: null }]);
  });
});

describe('what landed early and is verified late', () => {
  it('before what is present, is kept but never shown', async () => {
    const early = await scene.land(study.bytes('a'), 0);
    const latest = await scene.send(study.bytes('a'), 30 * SECOND);
    await scene.verify(early);
    expect(await scene.shown(study, 1)).toEqual({ a: latest });
    expect(await scene.upload(early)).toMatchObject({ state: 'registered', duplicate: false });
    expect(await present()).toMatchObject({ lastLanded: 30 * SECOND });
    expect(await wrong()).toEqual([]);
  });

  it('is kept so in a later generation too', async () => {
    const early = await scene.land(study.bytes('a'), 0);
    await scene.send(study.bytes('b'), 0);
    const latest = await scene.send(study.bytes('a'), 10 * MINUTE);
    await scene.verify(early);
    expect(await scene.shown(study, 2)).toMatchObject({ a: latest });
    expect((await scene.submissions(study)).map(({ generation }) => generation)).toEqual([1, 2]);
    expect((await scene.upload(early)).state).toBe('registered');
  });

  it('and is new to the study joins the generation that is there, and opens it again', async () => {
    const early = await scene.land(study.bytes('a'), 10 * SECOND);
    const first = await scene.send(study.bytes('b'), 20 * SECOND);
    await theatre.stack.admin.query(
      `UPDATE submission SET state = 'closed', closed_at = now() WHERE organization_id = $1`,
      [scene.organizationId],
    );
    await scene.verify(early);
    expect(await present()).toEqual({
      generation: 1,
      state: 'open',
      lastLanded: 20 * SECOND,
      closes: 80 * SECOND,
    });
    expect(await scene.shown(study, 1)).toEqual({ a: early, b: first });
  });

  it('between two landings of the same bytes does not stand after the second', async () => {
    const bytes = study.bytes('a');
    const first = await scene.send(bytes, 0);
    const between = await scene.land(study.bytes('a'), 10 * SECOND);
    await scene.send(bytes, 20 * SECOND);
    await scene.verify(between);
    expect(await scene.shown(study, 1)).toEqual({ a: first });
    const after = await scene.send(study.bytes('a'), 30 * SECOND);
    expect(await scene.shown(study, 1)).toEqual({ a: after });
    expect(await wrong()).toEqual([]);
  });

  it.each(['one after the other', 'the other way round', 'at once'])(
    'at the same time as another stands in the order of the ids: %s',
    async (order) => {
      const [a, b] = [await scene.land(study.bytes('a'), 0), await scene.land(study.bytes('a'), 0)];
      if (order === 'at once') await scene.verifyTogether(b, a);
      else await scene.verify(...(order === 'one after the other' ? [a, b] : [b, a]));
      expect(await scene.shown(study, 1)).toEqual({ a: b });
      expect(await wrong()).toEqual([]);
    },
  );
});

describe('instances that are verified together', () => {
  it('end as those that are verified one by one', async () => {
    const times = [0, 59 * SECOND, 5 * MINUTE, 11 * MINUTE, 11 * MINUTE];
    const names = ['a', 'b', 'a', 'b', 'c'];
    const uploads: string[] = [];
    for (const [index, name] of names.entries())
      uploads.push(await scene.land(study.bytes(name), times[index]!));
    await scene.verifyTogether(...uploads.reverse());
    const [c, b2, a2, b1] = uploads;
    expect((await scene.submissions(study)).map(({ generation, state }) => [generation, state])).toEqual([
      [1, 'superseded'],
      [2, 'open'],
    ]);
    expect(await scene.shown(study, 1)).toEqual({ a: a2, b: b1 });
    expect(await scene.shown(study, 2)).toEqual({ a: a2, b: b2, c });
    expect(await wrong()).toEqual([]);
  });
});
