import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { InvitationHandler } from '../../../src/modules/access/worker/invitation.handler.js';
import { UnsentInvitations } from '../../../src/modules/access/worker/unsent-invitations.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { MessageFailedError } from '../../../src/platform/messages/message-error.js';
import { Enqueuer } from '../../../src/platform/queue/enqueuer.js';
import { ADMIN } from '../../support/admin.js';
import { type Answer, eventually } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { createWorld, type World } from '../../support/world.js';
import { People } from './people.js';

jest.setTimeout(60_000);

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;

let office: PostOffice;
let world: World;
let worker: INestApplicationContext;
let people: People;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({ ...office.environment, RECONCILE_INTERVAL_MS: '250' });
  people = await People.open(world);
  worker = await world.startWorker();
});
afterAll(async () => {
  await world.close();
  await office.close();
});

const newAddress = (): string => `${randomUUID()}@staff.example`;
const invite = (email: string): Promise<Answer> => people.owner.post(`${ADMIN}/users`, { email });

const sentAt = async (id: string): Promise<Date | null> => {
  const { rows } = await world.admin.query<{ invitation_sent_at: Date | null }>(
    'SELECT invitation_sent_at FROM "user" WHERE id = $1',
    [id],
  );
  return rows[0]!.invitation_sent_at;
};
const settled = (id: string): Promise<Date | null> =>
  eventually(
    () => sentAt(id),
    (at) => at !== null,
  );
const mailsTo = (email: string): number => office.mails.filter(({ to }) => to === email).length;

async function deliveriesOf(id: string): Promise<Record<string, unknown>[]> {
  const { rows } = await world.admin.query<Record<string, unknown>>(
    `SELECT * FROM audit_event WHERE action = 'users:deliver-invitation' AND resource_id = $1`,
    [id],
  );
  return rows;
}

/** While nothing that is made gets into the queue, as when the process dies just then. */
async function withoutQueue<T>(work: () => Promise<T>): Promise<T> {
  const enqueuer = world.api.app.get(Enqueuer);
  const { enqueue } = enqueuer;
  enqueuer.enqueue = () => Promise.resolve();
  try {
    return await work();
  } finally {
    enqueuer.enqueue = enqueue;
  }
}

async function at<T>(now: () => number, work: () => Promise<T>): Promise<T> {
  const clock = worker.get(Clock);
  clock.now = () => new Date(now());
  try {
    return await work();
  } finally {
    clock.now = () => new Date();
  }
}

describe('an invitation', () => {
  it('comes by mail: from which organization, and how to sign in', async () => {
    const email = newAddress();
    const answer = await invite(email);
    expect([answer.status, answer.body.invitation]).toEqual([201, 'queued']);
    const { id } = answer.body;
    const { subject, text } = await office.newestTo(email);
    expect(subject).toBe('Tenant: your invitation');
    expect(text).toContain('Tenant has invited you to Scandock.');
    expect(text).toContain(people.organizationId);
    expect(text).toContain(`POST ${world.baseUrl}/api/v1/staff/auth/send-code`);
    await settled(id);
    expect(await deliveriesOf(id)).toEqual([
      expect.objectContaining({
        organization_id: people.organizationId,
        actor_kind: 'system',
        actor_id: 'invitation-delivery',
        outcome: 'success',
        resource_type: 'User',
        patient_ref: null,
        request_id: answer.headers.get('x-request-id'),
        detail: {},
      }),
    ]);
    expect((await people.owner.get(`${ADMIN}/users/${id}`)).body.version).toBe(1); // to be sent is no change of theirs
  });

  it('is sent beside the codes of patients, by the same queue', async () => {
    const [email, patient] = [newAddress(), newAddress()];
    const portal = await Portal.open(world, people.organizationId);
    await portal.newPatient({ email: patient });
    await Promise.all([invite(email), portal.sendCode({ email: patient })]);
    expect((await office.newestTo(email)).subject).toBe('Tenant: your invitation');
    expect((await office.newestTo(patient)).subject).toBe('Your sign-in code');
  });

  it('that is asked for again under its key is sent once', async () => {
    const email = newAddress();
    const headers = { 'idempotency-key': randomUUID() };
    for (let time = 0; time < 2; time++) {
      const answer = await people.owner.post(`${ADMIN}/users`, { email }, headers);
      expect([answer.status, answer.body.invitation]).toEqual([201, 'queued']);
      await settled(answer.body.id);
    }
    await worker.get(UnsentInvitations).run();
    expect(mailsTo(email)).toBe(1);
  });

  it('comes again when the mail server has been busy', async () => {
    office.refusals = { reply: 451, times: 2 };
    const email = newAddress();
    const { id } = (await invite(email)).body;
    await settled(id);
    expect([mailsTo(email), (await deliveriesOf(id)).length]).toEqual([1, 1]);
  });

  it('that is refused for good is not tried again, and the ledger says so', async () => {
    office.refusals = { reply: 550, times: 2 };
    const { id } = (await invite(newAddress())).body;
    await settled(id);
    expect(await deliveriesOf(id)).toEqual([
      expect.objectContaining({ outcome: 'failure', detail: { code: 'SMTP 550' } }),
    ]);
    await at(
      () => Date.now() + 2 * MINUTE_MS,
      () => worker.get(UnsentInvitations).run(),
    );
    await new Promise((resolve) => setTimeout(resolve, 500)); // nothing is to happen in it
    expect(office.refusals.times).toBe(1);
    office.refusals = { reply: 0, times: 0 };
  });

  it('whose job was lost is found again, after a minute and within a week', async () => {
    const [early, late] = [newAddress(), newAddress()];
    const [first, second] = await withoutQueue(async () => [
      (await invite(early)).body.id as string,
      (await invite(late)).body.id as string,
    ]);
    await world.admin.query(`UPDATE "user" SET invited_at = now() - interval '8 days' WHERE id = $1`, [
      second,
    ]);
    await worker.get(UnsentInvitations).run();
    await new Promise((resolve) => setTimeout(resolve, 500)); // its job may still be on its way
    expect(await sentAt(first!)).toBeNull();
    await at(
      () => Date.now() + MINUTE_MS + 1000,
      () => settled(first!),
    );
    expect([mailsTo(early), mailsTo(late)]).toEqual([1, 0]);
    expect(await sentAt(second!)).toBeNull();
  });

  it('of somebody who was disabled before is sent once they are enabled again', async () => {
    const email = newAddress();
    const { id } = await withoutQueue(async () => (await invite(email)).body);
    await people.owner.post(`${ADMIN}/users/${id}/disable`);
    await worker.get(InvitationHandler).handle({ organizationId: people.organizationId, userId: id });
    expect([mailsTo(email), await sentAt(id)]).toEqual([0, null]);
    await people.owner.post(`${ADMIN}/users/${id}/enable`);
    await at(
      () => Date.now() + DAY_MS,
      () => settled(id),
    );
    expect(mailsTo(email)).toBe(1);
  });

  it('is sent once, however often its job runs', async () => {
    const email = newAddress();
    const { id } = (await invite(email)).body;
    await settled(id);
    await worker.get(InvitationHandler).handle({ organizationId: people.organizationId, userId: id });
    expect([mailsTo(email), (await deliveriesOf(id)).length]).toEqual([1, 1]);
  });
});

describe('without a mail server', () => {
  it('the user is made all the same, and the answer says so', async () => {
    const silent = await createWorld();
    try {
      const own = await People.open(silent);
      const answer = await own.owner.post(`${ADMIN}/users`, { email: newAddress() });
      expect([answer.status, answer.body.invitation]).toEqual([201, 'unavailable']);
      const { rows } = await silent.admin.query('SELECT invited_at FROM "user" WHERE id = $1', [
        answer.body.id,
      ]);
      expect(rows).toEqual([{ invited_at: null }]);
    } finally {
      await silent.close();
    }
  });

  it('that answers, the invitation waits for it', async () => {
    const lonely = await createWorld({
      SMTP_URL: 'smtp://127.0.0.1:9',
      MAIL_FROM: 'no-reply@scandock.example',
    });
    try {
      const own = await People.open(lonely);
      const begun = Date.now();
      const answer = await own.owner.post(`${ADMIN}/users`, { email: newAddress() });
      expect([answer.status, answer.body.invitation]).toEqual([201, 'queued']);
      expect(Date.now() - begun).toBeLessThan(5_000); // nobody waits for it
      const process = await lonely.startWorker();
      const job = { organizationId: own.organizationId, userId: answer.body.id };
      await expect(process.get(InvitationHandler).handle(job)).rejects.toBeInstanceOf(MessageFailedError);
      const { rows } = await lonely.admin.query<{ id: string }>(
        `SELECT id FROM reconcile_unsent_invitations(now() + interval '1 hour', now() - interval '1 hour', 10)`,
      );
      expect(rows).toEqual([{ id: answer.body.id }]);
    } finally {
      await lonely.close();
    }
  });
});
