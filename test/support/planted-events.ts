import { randomInt } from 'node:crypto';
import type { Pool } from 'pg';
import { v4, v7 } from 'uuid';
import { Random } from '../fuzz/random.js';

/** An event that was written past the application. */
export interface Planted {
  id: string;
  occurredAt: Date;
  actorKind: string;
  actorId: string | null;
  action: string;
  outcome: string;
  resourceType: string | null;
  resourceId: string | null;
  patientRef: string | null;
  studyRef: string | null;
  requestId: string | null;
}

interface Wanted {
  /** When all of them happened. Absent: at few times of the last year, each shared by several events. */
  at?: Date;
  actorKind?: string;
  /** Waiting for their seal, as those that the application writes. */
  queued?: boolean;
}

const DAY_MS = 86_400_000;
const KINDS = ['client', 'api_key', 'user', 'user', 'user', 'share_link', 'anonymous', 'system'];
const ACTIONS = ['orders:read', 'orders:read', 'orders:read', 'exams:list', 'cases:create', 'gone:operation'];
const OUTCOMES = [...Array.from({ length: 12 }, () => 'success'), 'denied', 'failure'];
const TYPES = ['Order', 'Order', 'Exam', 'PatientCase', null];

/** What is drawn. Others each time; the same ones, but for the year that they are of, with the seed that is printed. */
const SEED = Number(process.env.PLANT_SEED ?? randomInt(2 ** 31));
let drawn = 0;

/**
 * Writes so many events of an organization, whose values are drawn from few. Every third has an id of another time than its
 * own, or one that tells of no time. Returns them.
 */
export async function plantRandomEvents(
  admin: Pool,
  organizationId: string,
  count: number,
  { at, actorKind, queued = false }: Wanted = {},
): Promise<Planted[]> {
  if (drawn === 0) process.stderr.write(`events are planted with PLANT_SEED=${SEED}\n`);
  const random = new Random(SEED, drawn++);
  const pick = <T>(from: readonly T[]): T => random.pick(from);
  const ids = (ofThem: number): (string | null)[] => [
    ...Array.from({ length: ofThem }, () => v4({ random: random.bytes(16) })),
    null,
  ];
  const pools = { actors: ids(4), resources: ids(30), patients: ids(6), studies: ids(6), requests: ids(60) };
  const now = Date.now();
  const instants = Array.from(
    { length: Math.ceil(count / 4) },
    () => new Date(now - DAY_MS - random.below(365 * 86_400) * 1_000 - random.below(1_000)),
  );
  const idOf = (index: number, occurredAt: Date): string => {
    const bytes = random.bytes(16);
    if (index % 3 === 2 && random.chance(2)) return v4({ random: bytes });
    return v7({ random: bytes, msecs: index % 3 === 2 ? now : occurredAt.getTime() });
  };
  const planted = Array.from({ length: count }, (_, index): Planted => {
    const occurredAt = at ?? pick(instants);
    return {
      id: idOf(index, occurredAt),
      occurredAt,
      actorKind: actorKind ?? pick(KINDS),
      actorId: pick(pools.actors),
      action: pick(ACTIONS),
      outcome: pick(OUTCOMES),
      resourceType: pick(TYPES),
      resourceId: pick(pools.resources),
      patientRef: pick(pools.patients),
      studyRef: pick(pools.studies),
      requestId: pick(pools.requests),
    };
  });
  const client = await admin.connect();
  try {
    if (!queued) await client.query('SET session_replication_role = replica'); // without the trigger that queues them
    await client.query(
      `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, actor_label, action, outcome, resource_type,
                                resource_id, patient_ref, study_ref, request_id, trace_id, ip, user_agent, scopes, detail)
       SELECT e.id, e."occurredAt", $1, e."actorKind", e."actorId", 'Label', e.action, e.outcome, e."resourceType", e."resourceId",
              e."patientRef", e."studyRef", e."requestId", 'trace', '::1', 'agent', '{orders:read}', '{"count": 1}'
       FROM jsonb_to_recordset($2) AS e(id uuid, "occurredAt" timestamptz, "actorKind" text, "actorId" text, action text,
            outcome text, "resourceType" text, "resourceId" text, "patientRef" text, "studyRef" text, "requestId" text)`,
      [organizationId, JSON.stringify(planted)],
    );
  } finally {
    await client.query('RESET session_replication_role');
    client.release();
  }
  return planted;
}
