import { Injectable } from '@nestjs/common';
import { Clock } from '../../platform/clock/clock.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';

/** What each type of event says: ids and codes, never a name or a value of the patient. */
export interface EventData {
  'upload.rejected': { upload_id: string; order_id?: string; rule: string };
  'study.ready': { study_uid: string; generation: number; order_ids: string[] };
  'volume.ready': { volume_id: string; order_id: string };
  'order.failed': { order_id: string };
  'result.delivered': { result_id: string; order_id: string; report_type: string };
}

export type EventType = keyof EventData;

export type OutboxEntry = { [Type in EventType]: { type: Type; data: EventData[Type] } }[EventType];

/** Writes events for those who wait for them, in the transaction that makes them true: both commit, or neither. */
@Injectable()
export class OutboxService {
  constructor(private readonly clock: Clock) {}

  async emit(tx: SqlTransaction, organizationId: string, entries: OutboxEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await tx.$executeRaw`
      INSERT INTO outbox_event (id, organization_id, type, occurred_at, data)
      SELECT e.id, ${organizationId}::uuid, e.type, ${this.clock.now()}::timestamptz, e.data
      FROM unnest(${entries.map(() => newId())}::uuid[], ${entries.map(({ type }) => type)}::text[],
                  ${entries.map(({ data }) => JSON.stringify(data))}::jsonb[]) AS e(id, type, data)`;
  }
}
