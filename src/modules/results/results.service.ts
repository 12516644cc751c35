import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DOCUMENT_TYPES, inPieces, inspectDocument } from '../../formats/document/document.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { OrdersService } from '../orders/orders.service.js';
import { LandingService, witnessOf } from '../uploads/landing.service.js';
import { insertIssued } from '../uploads/upload.issue.js';
import { stagingKey } from '../uploads/uploads.keys.js';
import { insertResult, type ResultRow, resultWithUpload } from './result.rows.js';
import { unacceptable } from './results.errors.js';
import type { Acknowledged, DeliveredResult } from './results.schemas.js';
import { StagingWriter } from '../uploads/staging.writer.js';

/** How long a delivery waits for the worker, and how often it looks, in milliseconds. */
const WAIT_MS = 10_000;
const LOOK_MS = 100;

/** States of an upload whose object the ledger has not seen. */
const UNSEEN = ['issued', 'expired'];

/** A report as it comes. */
export interface Report {
  orderId: string;
  reportType?: string;
  /** One of `DOCUMENT_TYPES`. */
  contentType: string;
  bytes: Buffer<ArrayBuffer>;
}

/** Reports on orders. Each one's bytes are an upload like any other: verified and kept by the worker. */
@Injectable()
export class ResultsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly orders: OrdersService,
    private readonly staging: StagingWriter,
    private readonly landing: LandingService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes a report, closed order or not, and waits a while until the worker has verified it: until then nobody sees it.
   * After a failure a repetition with the same Idempotency-Key goes on where the first one ended.
   * @throws not_found (the order), a rule of docs/rules.md, unavailable, idempotency_conflict, idempotency_mismatch
   */
  async deliver(
    caller: Caller,
    report: Report,
    idempotencyKey: string | undefined,
  ): Promise<DeliveredResult> {
    const { organizationId } = caller.principal;
    const kind = DOCUMENT_TYPES[report.contentType]!;
    const verdict = await inspectDocument(inPieces(report.bytes), kind);
    if (!verdict.ok) throw unacceptable(verdict.rule, verdict.message, verdict.where);
    const result = await this.accept(caller, { reportType: kind, ...report }, idempotencyKey);
    if (UNSEEN.includes(result.uploadState)) {
      const key = stagingKey(organizationId, result.uploadId);
      await this.staging.put(key, [report.bytes], this.clock.now());
      await this.landing.land(witnessOf(caller), await this.landing.look(organizationId, [result.uploadId]));
    }
    return this.untilDelivered(organizationId, result);
  }

  /** Notes that they were fetched: `GET /reports` shows them no more. The same answer each time. */
  async acknowledge(caller: Caller, resultIds: string[]): Promise<Acknowledged> {
    const { organizationId } = caller.principal;
    const ids = [...new Set(resultIds)];
    return this.database.withOrganization(organizationId, async (tx) => {
      const found = await tx.result.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'results:acknowledge').ofType('Result'),
            { organizationId, id: { in: ids }, deliveredAt: { not: null } },
          ],
        },
        select: { id: true, acknowledgedAt: true },
      });
      const known = new Map(found.map(({ id, acknowledgedAt }) => [id, acknowledgedAt]));
      const acknowledged = ids.filter((id) => known.has(id));
      await tx.result.updateMany({
        where: { organizationId, id: { in: acknowledged }, acknowledgedAt: null },
        data: { acknowledgedAt: this.clock.now() },
      });
      const unknown = ids.filter((id) => !known.has(id));
      // One each, by which it is found: reports of a study ask for events of its results.
      const told = acknowledged.length > 0 ? acknowledged : [undefined];
      await this.audit.record(
        tx,
        ...told.map((id) =>
          actedBy<'results:acknowledge'>(caller, {
            action: 'results:acknowledge',
            resource: { type: 'Result', ...(id !== undefined && { id }) },
            detail: {
              repeated: id !== undefined && known.get(id) !== null,
              asked: ids.length,
              unknown: unknown.length,
            },
          }),
        ),
      );
      return { acknowledged, unknown };
    });
  }

  private async accept(
    caller: Caller,
    report: Required<Report>,
    key: string | undefined,
  ): Promise<ResultRow> {
    const { organizationId } = caller.principal;
    const { bytes, ...declared } = report;
    const sha256 = createHash('sha256').update(bytes).digest();
    const body = { ...declared, sha256: sha256.toString('hex') };
    const claim = { caller, operation: 'results:deliver', key, body };
    return this.database.withOrganization(organizationId, async (tx) => {
      await this.orders.find(tx, caller, 'results:deliver', report.orderId);
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, caller, report, sha256),
      );
      await this.audit.record(
        tx,
        actedBy<'results:deliver'>(caller, {
          action: 'results:deliver',
          resource: { type: 'Result', id },
          detail: { order: report.orderId, size: bytes.length, replayed },
        }),
      );
      return resultWithUpload(tx, organizationId, id);
    });
  }

  private async insert(
    tx: Transaction,
    { principal }: Caller,
    { orderId, reportType, contentType, bytes }: Required<Report>,
    sha256: Buffer,
  ): Promise<string> {
    const { organizationId, id: deliveredById } = principal;
    const [id, uploadId, issuedAt] = [newId(), newId(), this.clock.now()];
    const urlExpiresAt = new Date(issuedAt.getTime() + URL_LIFETIME_SECONDS * 1000);
    await insertIssued(tx, organizationId, { issuedAt, urlExpiresAt }, [
      { id: uploadId, surface: 'results', principal, orderId, contentType, size: bytes.length, sha256 },
    ]);
    const result = { id, orderId, uploadId, reportType, contentType, deliveredById };
    await insertResult(tx, organizationId, result, issuedAt);
    return id;
  }

  /** Looks until the worker is done or it takes too long. @throws a rule of docs/rules.md */
  private async untilDelivered(organizationId: string, { id }: ResultRow): Promise<DeliveredResult> {
    const begun = performance.now();
    for (let waited = 0; ; waited = performance.now() - begun) {
      const row = await this.database.withOrganizationSql(organizationId, (tx) =>
        resultWithUpload(tx, organizationId, id),
      );
      if (row.uploadState === 'rejected') throw unacceptable(row.rule!, row.message!, row.place);
      if (row.deliveredAt || waited >= WAIT_MS) return toDelivered(row);
      await setTimeout(LOOK_MS);
    }
  }
}

const toDelivered = ({
  id,
  orderId,
  reportType,
  contentType,
  size,
  deliveredAt,
}: ResultRow): DeliveredResult => ({
  result_id: id,
  order_id: orderId,
  report_type: reportType,
  content_type: contentType,
  size: Number(size),
  state: deliveredAt ? 'delivered' : 'pending',
});
