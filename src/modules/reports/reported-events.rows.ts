import { Prisma } from '../../generated/prisma/client.js';
import type { Transaction } from '../../platform/database/database.service.js';
import type { Position } from '../../platform/http/cursor.js';
import type { AuditActor, AuditOutcome } from '../audit/audit.events.js';
import { namesThing, resourcesOf } from './thing.resources.js';
import type { Thing } from './thing.js';

const { sql, empty } = Prisma;

/** An event of a report. `createdAt` is when it happened. */
export interface ReportedEvent extends Position {
  actorKind: AuditActor['kind'];
  actorId: string | null;
  actorLabel: string | null;
  action: string;
  outcome: AuditOutcome;
  resourceType: string | null;
  resourceId: string | null;
  patientRef: string | null;
  studyRef: string | null;
  ip: string | null;
}

/** Which events of a thing are wanted. */
export interface Wanted {
  /** Half-open. */
  from: Date;
  to: Date;
  after: Position | undefined;
  limit: number;
  /** Absent: all that acts on the thing itself. Given: successes of these, but for those of whoever brought the bytes. */
  actions?: readonly string[];
}

/** A report is about what was done, not about who read reports. */
const OF_REPORTS = ['audit:report-access', 'audit:report-disclosures'];

/**
 * The newest events about a thing and everything that belongs to it: one query. An event that names its study is told of
 * no other, though it may have been done to an order or exam that holds several.
 */
export function eventsAbout(tx: Transaction, thing: Thing, wanted: Wanted): Promise<ReportedEvent[]> {
  const names = namesThing(thing);
  const condition = conditionOf(thing, wanted);
  const newest = sql`ORDER BY e.occurred_at DESC, e.id DESC LIMIT ${wanted.limit}`;
  const besides = { study: sql`AND e.study_ref IS NULL`, patient: sql`AND e.patient_ref IS NULL` };
  const unlessNamed = thing.type === 'study' || thing.type === 'patient' ? besides[thing.type] : empty;
  // Joined one resource at a time: what is to be read of the ledger then never depends on what it holds besides.
  return tx.$queryRaw<ReportedEvent[]>`
    WITH ${resourcesOf(thing)}
    SELECT e.id, e.occurred_at AS "createdAt", e.actor_kind AS "actorKind", e.actor_id AS "actorId", e.actor_label AS "actorLabel",
           e.action, e.outcome, e.resource_type AS "resourceType", e.resource_id AS "resourceId", e.patient_ref AS "patientRef",
           e.study_ref AS "studyRef", e.ip
    FROM (
      SELECT e.* FROM resource r CROSS JOIN LATERAL (
        SELECT e.* FROM audit_event e
        WHERE ${condition} AND e.resource_type = r.type AND e.resource_id = r.id AND e.occurred_at >= r.since ${unlessNamed}
          ${wanted.actions ? sql`AND e.actor_id IS DISTINCT FROM r.source` : empty}
        ${newest}) e
      ${names ? sql`UNION ALL (${eventsNaming(names, condition, newest, wanted)})` : empty}
    ) e
    ${newest}`;
}

function eventsNaming(
  names: Prisma.Sql,
  condition: Prisma.Sql,
  newest: Prisma.Sql,
  { actions }: Wanted,
): Prisma.Sql {
  const fromSource = sql`AND NOT EXISTS (
    SELECT 1 FROM resource r WHERE r.type = e.resource_type AND r.id = e.resource_id AND r.source = e.actor_id)`;
  return sql`SELECT e.* FROM audit_event e WHERE ${condition} AND ${names} ${actions ? fromSource : empty} ${newest}`;
}

function conditionOf({ organizationId }: Thing, { from, to, after, actions }: Wanted): Prisma.Sql {
  const older = after
    ? sql`AND e.occurred_at <= ${after.createdAt}::timestamptz
          AND (e.occurred_at < ${after.createdAt}::timestamptz OR e.id < ${after.id}::uuid)`
    : empty;
  const which = actions
    ? sql`AND e.outcome = 'success' AND e.action = ANY (${[...actions]}::text[])`
    : sql`AND e.action <> ALL (${OF_REPORTS}::text[])`;
  return sql`e.organization_id = ${organizationId}::uuid AND e.occurred_at >= ${from}::timestamptz
    AND e.occurred_at < ${to}::timestamptz ${older} ${which}`;
}

/** Whether there is such a thing, or was: anything has succeeded on it. */
export async function isKnown(tx: Transaction, thing: Thing): Promise<boolean> {
  const { organizationId, type, id } = thing;
  const org = sql`${organizationId}::uuid`;
  const tables = {
    study: sql`SELECT 1 FROM study t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid`,
    patient: sql`SELECT 1 FROM "user" t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid AND t.kind = 'patient'`,
    case: sql`SELECT 1 FROM patient_case t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid`,
    file: sql`
      SELECT 1 FROM upload t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid
      UNION ALL SELECT 1 FROM patient_file t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid
      UNION ALL SELECT 1 FROM inspect_file t WHERE t.organization_id = ${org} AND t.id = ${id}::uuid`,
  };
  const [row] = await tx.$queryRaw<{ exists: boolean }[]>`SELECT EXISTS (${tables[type]})`;
  if (row?.exists) return true;
  const resources = {
    study: ['Study'],
    patient: [],
    case: ['PatientCase'],
    file: ['PatientFile', 'InspectFile', 'Upload'],
  };
  const names = namesThing(thing);
  const [event] = await tx.$queryRaw<{ exists: boolean }[]>`
    SELECT EXISTS (
      SELECT 1 FROM unnest(${resources[type]}::text[]) kind CROSS JOIN LATERAL (
        SELECT 1 FROM audit_event e
        WHERE e.organization_id = ${org} AND e.resource_type = kind AND e.resource_id = ${id}::text AND e.outcome = 'success'
          AND e.action <> ALL (${OF_REPORTS}::text[]) LIMIT 1) e
      ${
        names
          ? sql`UNION ALL (SELECT 1 FROM audit_event e WHERE e.organization_id = ${org} AND ${names} AND e.outcome = 'success'
                           AND e.action <> ALL (${OF_REPORTS}::text[]) LIMIT 1)`
          : empty
      })`;
  return event?.exists ?? false;
}
