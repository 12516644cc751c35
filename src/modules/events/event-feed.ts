import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../../platform/authorization/principal.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { validationError } from '../../platform/errors/application-error.js';
import type { EventPage, ListEvents } from './events.schemas.js';

interface EventRow {
  id: string;
  transaction: bigint;
  type: string;
  occurredAt: Date;
  data: Record<string, unknown>;
}

const positionSchema = z.tuple([z.string().regex(/^\d{1,18}$/), z.uuid()]);

/**
 * An organization's events in the order of their transactions. Only those older than every transaction under way are
 * shown: ids and times are given before a commit, so that a reader who goes by them would miss what commits late.
 */
@Injectable()
export class EventFeed {
  constructor(private readonly database: DatabaseService) {}

  async list(caller: Caller, { after, limit }: ListEvents): Promise<EventPage> {
    const { organizationId } = caller.principal;
    const [transaction, id] =
      after === undefined ? ['0', '00000000-0000-0000-0000-000000000000'] : decode(after);
    const rows = await this.database.withOrganizationSql(
      organizationId,
      (tx) => tx.$queryRaw<EventRow[]>`
        SELECT id, transaction_id AS transaction, type, occurred_at AS "occurredAt", data FROM outbox_event
        WHERE organization_id = ${organizationId}::uuid
          AND (transaction_id, id) > (${transaction}::bigint, ${id}::uuid)
          AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        ORDER BY transaction_id, id LIMIT ${limit}::int`,
    );
    const last = rows.at(-1);
    return {
      items: rows.map(({ id, type, occurredAt, data }) => ({
        id,
        type,
        occurred_at: occurredAt.toISOString(),
        data,
      })),
      next_cursor: last ? encode(last) : (after ?? null),
    };
  }
}

const encode = ({ transaction, id }: EventRow): string =>
  Buffer.from(JSON.stringify([transaction.toString(), id])).toString('base64url');

function decode(cursor: string): [string, string] {
  try {
    return positionSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw validationError([{ path: 'after', message: 'is not a cursor of this API' }]);
  }
}
