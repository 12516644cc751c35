import pg from 'pg';
import type { DatabaseService } from '../../platform/database/database.service.js';
import { canonicalDetail } from './audit.canonical.js';
import { type EventFilter, FILTERED_COLUMNS } from './event.filter.js';

/** An event at its place in an organization's ledger. */
export interface SealedEvent {
  position: number;
  /** What `canonicalForm` gives, and a line end; undefined when the ledger has lost the event. */
  line: Buffer | undefined;
  /** Of an event that is not of the interval by its time in the tree, which nobody has signed: that time, and its leaf there. */
  outside?: { time: Date; leaf: Buffer };
}

/** Some trees of an organization, and what of them is wanted. Positions and times are half-open, but for `latest`. */
export interface Stretch {
  /** Positions of the first tree and behind the last. */
  firstTree: number;
  endTree: number;
  /** Positions. */
  next: number;
  until: number;
  /** Times of the earliest and the latest event of the trees: what finds the months. */
  earliest: Date;
  latest: Date;
  /** Times. */
  from: Date | null;
  to: Date | null;
}

/** Beyond this many bytes of lines another buffer is begun. */
const LINES_BYTES = 1024 * 1024;

/**
 * Sealed events in the order of their positions, in their canonical form: the same bytes as `canonicalForm` makes of a row, at
 * a fraction of its cost, since Postgres writes all of it but the detail. Its `to_json` escapes a text as RFC 8785 wants it
 * (tests compare the two). An event that a tree names and that is not there is one without a line, whatever the filter; one
 * that is outside of the interval comes as well, to be told from one that was only said to be.
 */
export async function sealedEvents(
  database: DatabaseService,
  organizationId: string,
  stretch: Stretch,
  filter: EventFilter,
): Promise<SealedEvent[]> {
  const events: SealedEvent[] = [];
  const lines = new Lines();
  let ordered = true;
  await database.copyFromOrganization(
    organizationId,
    canonicalQuery(organizationId, stretch, filter),
    ([place, head, detail, tail, leaf, at]) => {
      const position = stretch.next + place!.readInt32BE(0);
      ordered &&= events.length === 0 || events.at(-1)!.position < position;
      const line = head ? lines.write(head, detail!, tail!) : undefined;
      const outside = leaf && { leaf: Buffer.from(leaf), time: new Date(Number(at!.readBigInt64BE())) };
      events.push({ position, line, ...(outside && { outside }) });
    },
  );
  // Rows come as the join finds them, which is as they were written: wide rows are not sorted for that.
  return ordered ? events : events.sort((one, other) => one.position - other.position);
}

/** Lines, one after the other in a few large buffers: a million small ones would keep the collector of garbage busy. */
class Lines {
  private free = Buffer.alloc(0);

  write(head: Buffer, detail: Buffer, tail: Buffer): Buffer {
    const form = detail.length === 2 ? detail : Buffer.from(canonicalDetail(detail.toString()));
    const length = head.length + form.length + tail.length + 1;
    if (length > this.free.length) this.free = Buffer.allocUnsafeSlow(Math.max(length, LINES_BYTES));
    const line = this.free.subarray(0, length);
    this.free = this.free.subarray(length);
    head.copy(line);
    form.copy(line, head.length);
    tail.copy(line, head.length + form.length);
    line[length - 1] = 0x0a;
    return line;
  }
}

const text = (column: string): string => `coalesce(to_json(e.${column}), 'null')`;
const time = (at: Date): string => `'${at.toISOString()}'::timestamptz`;

function canonicalQuery(organizationId: string, stretch: Stretch, filter: EventFilter): string {
  const organization = `${pg.escapeLiteral(organizationId)}::uuid`;
  const wanted = Object.entries(filter).map(
    ([member, value]) => `e.${FILTERED_COLUMNS[member as keyof EventFilter]} = ${pg.escapeLiteral(value)}`,
  );
  const bounds = [
    ...(stretch.from ? [`named.occurred_at >= ${time(stretch.from)}`] : []),
    ...(stretch.to ? [`named.occurred_at < ${time(stretch.to)}`] : []),
  ];
  const leaf =
    bounds.length > 0
      ? `CASE WHEN NOT (${bounds.join(' AND ')}) THEN substring(t.leaves FROM (32 * (named.place - 1) + 1)::int FOR 32) END`
      : 'NULL::bytea';
  return `
    SELECT (n.position - ${stretch.next})::int,
      CASE WHEN e.id IS NOT NULL THEN concat(
        '{"action":', ${text('action')}, ',"actor":{"id":', ${text('actor_id')}, ',"kind":', ${text('actor_kind')},
        ',"label":', ${text('actor_label')}, '},"agent":', ${text('user_agent')}, ',"detail":') END,
      e.detail::text,
      concat(
        ',"id":"', e.id, '","ip":', ${text('ip')}, ',"organization":"', e.organization_id, '","outcome":', ${text('outcome')},
        ',"patient":', ${text('patient_ref')}, ',"request":', ${text('request_id')},
        ',"resource":{"id":', ${text('resource_id')}, ',"type":', ${text('resource_type')}, '},"scopes":', array_to_json(e.scopes),
        ',"study":', ${text('study_ref')}, ',"time":"', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS'),
        'Z","trace":', ${text('trace_id')}, ',"v":1}'),
      n.leaf, CASE WHEN n.leaf IS NOT NULL THEN (extract(epoch FROM n.occurred_at) * 1000)::bigint END
    FROM (
      SELECT t.first_position + named.place - 1 AS position, named.id, named.occurred_at,
        ${leaf} AS leaf
      FROM audit_tree t
      CROSS JOIN LATERAL unnest(t.event_ids, t.event_times) WITH ORDINALITY AS named(id, occurred_at, place)
      WHERE t.organization_id = ${organization}
        AND t.first_position >= ${stretch.firstTree} AND t.first_position < ${stretch.endTree}) AS n
    LEFT JOIN audit_event e ON e.organization_id = ${organization} AND e.id = n.id AND e.occurred_at = n.occurred_at
      AND e.occurred_at >= ${time(stretch.earliest)} AND e.occurred_at <= ${time(stretch.latest)}
    WHERE n.position >= ${stretch.next} AND n.position < ${stretch.until}
      ${wanted.length > 0 ? `AND (e.id IS NULL OR n.leaf IS NOT NULL OR (${wanted.join(' AND ')}))` : ''}`;
}
