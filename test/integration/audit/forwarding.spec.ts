import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import {
  childrenNamed,
  detailsIn,
  parseXml,
  schemaProblems,
} from '../../../src/modules/audit/dicom-audit-message.fixture.js';
import { ForwarderService } from '../../../src/modules/audit/worker/syslog/forwarder.service.js';
import { auditForwardBehind } from '../../../src/platform/health/metrics.js';
import { Client, eventually } from '../../support/client.js';
import { type SyslogMessage, SyslogReceiver, tlsFile } from '../../support/syslog-receiver.js';
import { asSuperuser } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

interface Told {
  organization: string;
  position: number;
  id: string;
  action: string;
  outcome: string;
}

const NEVER = '86400000';
let world: World;
let worker: INestApplicationContext;
let forwarder: ForwarderService;
let receiver: SyslogReceiver;
let port: number;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  receiver = await SyslogReceiver.listen();
  port = receiver.port;
  world = await createWorld({
    AUDIT_SEAL_INTERVAL_MS: NEVER,
    RECONCILE_INTERVAL_MS: NEVER, // only when the test says so
    AUDIT_SYSLOG_URL: `syslog+tls://127.0.0.1:${port}`,
    AUDIT_SYSLOG_CA: tlsFile('authority.pem'),
  });
  await startWorker();
  [tenant, other] = [await world.newTenant(), await world.newTenant()];
}, 120_000);
afterAll(async () => {
  await world.close();
  await receiver.die();
});
beforeEach(() => {
  receiver.messages.length = 0;
  receiver.behave = undefined;
});

async function startWorker(): Promise<void> {
  worker = await world.startWorker();
  forwarder = worker.get(ForwarderService, { strict: false });
}
/** Acts as a client and seals what came of it. */
const act = async (who: Tenant, times: number) => {
  const client = new Client(world.baseUrl, who.apiKey);
  await Promise.all(Array.from({ length: times }, () => client.get('/api/v1/exams')));
  await worker.get(SealerService, { strict: false }).seal();
};
const told = ({ text }: SyslogMessage): Told => {
  const message = parseXml(text);
  expect(schemaProblems(message)).toEqual([]);
  const event = childrenNamed(message, 'ParticipantObjectIdentification').at(-1)!;
  const { organization, position } = detailsIn(event);
  const [identification] = childrenNamed(message, 'EventIdentification');
  return {
    organization: organization!,
    position: Number(position),
    id: event.attributes.ParticipantObjectID!,
    action: childrenNamed(identification!, 'EventTypeCode').at(-1)!.attributes['csd-code']!,
    outcome: childrenNamed(identification!, 'EventOutcomeDescription')[0]!.text,
  };
};
/** What the ledger says, in the order of positions. */
const ledger = async ({ organizationId }: Tenant, after = 0): Promise<Told[]> =>
  (
    await world.admin.query<Told>(
      `SELECT e.organization_id::text AS organization, (t.first_position + n - 1)::int AS position, e.id::text, e.action, e.outcome
       FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids) WITH ORDINALITY AS named(id, n) JOIN audit_event e ON e.id = named.id
       WHERE t.organization_id = $1 AND t.first_position + n - 1 > $2 ORDER BY 2`,
      [organizationId, after],
    )
  ).rows;
const received = ({ organizationId }: Tenant): Told[] =>
  receiver.messages.map(told).filter(({ organization }) => organization === organizationId);
const positionOf = async ({ organizationId }: Tenant): Promise<number> =>
  (
    await world.admin.query<{ position: number }>(
      'SELECT position::int FROM audit_forwarding WHERE organization_id = $1',
      [organizationId],
    )
  ).rows[0]?.position ?? 0;
const restartReceiver = async () => {
  const { messages } = receiver;
  receiver = await SyslogReceiver.listen({ port });
  receiver.messages.push(...messages);
};

describe('forwarding', () => {
  it('begins with what is sealed from then on', async () => {
    await act(tenant, 2);
    await forwarder.forward();
    expect(receiver.messages).toEqual([]);
    const start = await positionOf(tenant);
    expect(start).toBe((await ledger(tenant)).length);
    await act(tenant, 3);
    await forwarder.forward();
    expect(received(tenant)).toEqual(await ledger(tenant, start));
    expect(received(tenant)).toHaveLength(3);
  });

  it('tells of an organization that came later from its first event, each in the order of positions', async () => {
    const third = await world.newTenant();
    await Promise.all([act(tenant, 20), act(other, 20), act(third, 5)]);
    await forwarder.forward();
    const ofThird = received(third);
    expect(ofThird).toEqual(await ledger(third));
    expect(ofThird.map(({ position }) => position)).toEqual(ofThird.map((_, at) => at + 1));
    for (const one of [tenant, other]) expect(await positionOf(one)).toBe((await ledger(one)).length);
  });

  it('sends nothing twice while all is well, and says how far behind it is', async () => {
    await forwarder.forward();
    expect(receiver.messages).toEqual([]);
    await act(other, 4);
    receiver.behave = (connection) => void receiver.reset(connection);
    await expect(forwarder.forward()).rejects.toThrow();
    expect((await auditForwardBehind.get()).values[0]!.value).toBe(4);
    receiver.behave = undefined;
    await forwarder.forward();
    expect(received(other)).toHaveLength(4);
    expect((await auditForwardBehind.get()).values[0]!.value).toBe(0);
  });

  it('loses nothing while the receiver is down, though the worker starts again meanwhile', async () => {
    const start = await positionOf(tenant);
    await receiver.die();
    for (let minute = 0; minute < 6; minute++) {
      await act(tenant, 5);
      await expect(forwarder.forward()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      if (minute === 3) await startWorker();
    }
    await restartReceiver();
    await forwarder.forward();
    const expected = await ledger(tenant, start);
    expect(expected).toHaveLength(30);
    expect(received(tenant)).toEqual(expected);
  });

  it('loses nothing to a receiver that dies in the middle, time after time', async () => {
    const start = await positionOf(tenant);
    await act(tenant, 60);
    for (const bytes of [1, 3_000, 60_000]) {
      receiver.behave = (connection) => {
        let seen = 0;
        receiver.read(connection);
        connection.on('data', (chunk: Buffer) => {
          if ((seen += chunk.length) >= bytes) receiver.reset(connection);
        });
      };
      await expect(forwarder.forward()).rejects.toThrow();
      expect(await positionOf(tenant)).toBe(start);
    }
    receiver.behave = undefined;
    await forwarder.forward();
    const expected = await ledger(tenant, start);
    // At least once, and in order when those that came twice are told apart by their ids.
    const all = received(tenant);
    expect(all.slice(-60)).toEqual(expected);
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set(expected.map(({ id }) => id)));
    expect(all.length).toBeGreaterThan(60);
  });

  it('is held up by nobody else’s certificate', async () => {
    const start = await positionOf(tenant);
    await act(tenant, 2);
    await receiver.die();
    const impostor = await SyslogReceiver.listen({ port, certificate: 'elsewhere' });
    await expect(forwarder.forward()).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(impostor.messages).toEqual([]);
    await impostor.die();
    await restartReceiver();
    await forwarder.forward();
    expect(received(tenant)).toEqual(await ledger(tenant, start));
  });

  it('tells of an event that was sealed and is gone as that', async () => {
    const start = await positionOf(other);
    await act(other, 3);
    const [, gone] = await ledger(other, start);
    await asSuperuser(world.admin, (admin) =>
      admin.query('DELETE FROM audit_event WHERE id = $1', [gone!.id]),
    );
    await forwarder.forward();
    expect(received(other).map(({ position, action }) => [position, action])).toEqual([
      [start + 1, 'exams:list'],
      [start + 2, 'audit:missing-event'],
      [start + 3, 'exams:list'],
    ]);
    expect(received(other)[1]!.id).toBe(gone!.id);
  });

  it('sends more than one delivery’s worth, a bit of each organization at a time', async () => {
    const start = await positionOf(tenant);
    for (const who of [tenant, other])
      await world.admin.query(
        `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
         SELECT gen_random_uuid(), now(), $1, 'system', 'uploads:land', 'success', '{}', '{"count":1}' FROM generate_series(1, 1300)`,
        [who.organizationId],
      );
    await worker.get(SealerService, { strict: false }).seal();
    const { connections } = receiver;
    await forwarder.forward();
    expect(receiver.connections - connections).toBeGreaterThanOrEqual(3);
    expect(receiver.messages).toHaveLength(2_600);
    expect(received(tenant).map(({ position }) => position)).toEqual(
      Array.from({ length: 1_300 }, (_, at) => start + 1 + at),
    );
  });
});

describe('the files that the configuration names', () => {
  const checked = (changes: Record<string, string>) => () =>
    new ForwarderService(
      { ...world.workerConfig, ...changes },
      ...([undefined, undefined] as unknown as [never, never]),
    ).checkCredentials();

  it.each([
    [
      'are read before anything is sent',
      { AUDIT_SYSLOG_CA: '/nowhere.pem' },
      /^AUDIT_SYSLOG_CA: cannot be read \(ENOENT\)$/,
    ],
    ['are PEM', { AUDIT_SYSLOG_CA: tlsFile('README.md') }, /^AUDIT_SYSLOG_CA: is not PEM$/],
    [
      'go together',
      { AUDIT_SYSLOG_CERT: tlsFile('scandock.pem'), AUDIT_SYSLOG_KEY: tlsFile('receiver.key.pem') },
      /^AUDIT_SYSLOG_CERT: does not go with AUDIT_SYSLOG_KEY/,
    ],
  ])('%s', (_, changes, problem) => expect(checked(changes)).toThrow(problem));

  it('may be right', () =>
    expect(
      checked({ AUDIT_SYSLOG_CERT: tlsFile('scandock.pem'), AUDIT_SYSLOG_KEY: tlsFile('scandock.key.pem') }),
    ).not.toThrow());
});

describe('by itself', () => {
  it('it forwards, in one process, and goes on after the receiver was away', async () => {
    const own = await createWorld({
      AUDIT_SEAL_INTERVAL_MS: '200',
      RECONCILE_INTERVAL_MS: '200',
      AUDIT_SYSLOG_URL: `syslog+tls://127.0.0.1:${port}`,
      AUDIT_SYSLOG_CA: tlsFile('authority.pem'),
      AUDIT_SYSLOG_FROM: 'beginning',
    });
    const someone = await own.newTenant();
    const client = new Client(own.baseUrl, someone.apiKey);
    const lists = () => received(someone).filter(({ action }) => action === 'exams:list');
    const count = () => Promise.resolve(new Set(lists().map(({ id }) => id)).size);
    await client.get('/api/v1/exams');
    await Promise.all([own.startWorker(), own.startWorker()]);
    await eventually(count, (ids) => ids === 1);
    expect(lists()).toHaveLength(1);
    await receiver.die();
    await client.get('/api/v1/exams');
    await client.get('/api/v1/exams');
    await restartReceiver();
    await eventually(count, (ids) => ids === 3, 60_000);
    await own.close();
  }, 120_000);

  it('it does nothing where no receiver is configured', async () => {
    const off = await createWorld({ RECONCILE_INTERVAL_MS: '200', AUDIT_SEAL_INTERVAL_MS: '200' });
    await off.startWorker();
    await new Client(off.baseUrl, (await off.newTenant()).apiKey).get('/api/v1/exams');
    await eventually(
      async () => (await off.admin.query('SELECT 1 FROM audit_seal LIMIT 3')).rows,
      (rows) => rows.length === 3,
    );
    expect((await off.admin.query('SELECT 1 FROM audit_forwarding')).rows).toEqual([]);
    await off.close();
  }, 120_000);
});
