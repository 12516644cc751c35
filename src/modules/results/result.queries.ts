import { Injectable } from '@nestjs/common';
import { DOCUMENT_TYPES, type ReportKind } from '../../formats/document/document.js';
import type { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { decodeCursor, encodeCursor, olderThan, type Position } from '../../platform/http/cursor.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { OrdersService } from '../orders/orders.service.js';
import { mentionStudy } from '../studies/study.mention.js';
import type { ListReports, ListResults, ResultPage } from './results.schemas.js';

/** Two studies of its order are enough to know that it is not about one. */
const parts = {
  upload: { include: { storedObject: true } },
  order: { select: { studies: { select: { studyId: true }, take: 2 } } },
} satisfies Prisma.ResultInclude;
type Row = Prisma.ResultGetPayload<{ include: typeof parts }>;

/** What a download is named like; the name itself is the result's id. */
const EXTENSIONS: Record<ReportKind, string> = {
  json: 'json',
  pdf: 'pdf',
  sr: 'dcm',
  xml: 'xml',
  png: 'png',
  txt: 'txt',
};

/**
 * Delivered results, with a URL for the bytes of each. That a list was read is audited by the response hook; here, which
 * results it had URLs for.
 */
@Injectable()
export class ResultQueries {
  constructor(
    private readonly database: DatabaseService,
    private readonly orders: OrdersService,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Of an order, or of all orders of a study that the caller may see; newest first. @throws not_found */
  async list(
    caller: Caller,
    { order_id, study_uid, report_type, limit, cursor }: ListResults,
  ): Promise<ResultPage> {
    const rows = await this.database.readOrganization(caller.principal.organizationId, async (tx) => {
      const orders = order_id
        ? [await this.orders.find(tx, caller, 'results:list', order_id)]
        : await this.orders.ofStudy(tx, caller, 'results:list', study_uid!);
      if (orders.length === 0) throw notFound();
      if (study_uid) await mentionStudy(tx, caller, study_uid);
      return this.find(
        tx,
        caller,
        [
          { orderId: { in: orders.map(({ id }) => id) }, deliveredAt: { not: null } },
          report_type ? { reportType: report_type } : {},
          ...(cursor ? olderThan(cursor) : []),
        ],
        { orderBy: [{ createdAt: 'desc' }, { id: 'desc' }], limit },
      );
    });
    return this.toPage(rows, limit, ({ createdAt, id }) => ({ createdAt, id }));
  }

  /** Of all orders, what has not been acknowledged; oldest first. */
  async unacknowledged(caller: Caller, { limit, cursor }: ListReports): Promise<ResultPage> {
    const rows = await this.database.readOrganization(caller.principal.organizationId, (tx) =>
      this.find(
        tx,
        caller,
        [{ deliveredAt: { not: null }, acknowledgedAt: null }, cursor ? after(decodeCursor(cursor)) : {}],
        { orderBy: [{ deliveredAt: 'asc' }, { id: 'asc' }], limit },
      ),
    );
    return this.toPage(rows, limit, ({ deliveredAt, id }) => ({ createdAt: deliveredAt!, id }));
  }

  private async find(
    tx: Transaction,
    caller: Caller,
    where: Prisma.ResultWhereInput[],
    { orderBy, limit }: { orderBy: Prisma.ResultFindManyArgs['orderBy']; limit: number },
  ): Promise<Row[]> {
    const { organizationId } = caller.principal;
    const accessible = accessibleBy(caller, 'results:read').ofType('Result');
    const rows = await tx.result.findMany({
      where: { AND: [accessible, { organizationId }, ...where] },
      include: parts,
      orderBy,
      take: limit + 1,
    });
    await this.audit.record(tx, ...rows.slice(0, limit).map((row) => downloadOf(caller, row)));
    return rows;
  }

  private async toPage(rows: Row[], limit: number, position: (row: Row) => Position): Promise<ResultPage> {
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const now = this.clock.now();
    return {
      items: await Promise.all(page.map((row) => this.toItem(row, now))),
      ...(rows.length > limit && last && { next_cursor: encodeCursor(position(last)) }),
    };
  }

  private async toItem(row: Row, now: Date): Promise<ResultPage['items'][number]> {
    const { id, orderId, reportType, contentType, deliveredAt, acknowledgedAt, upload } = row;
    const object = upload.storedObject!; // a delivered result's bytes are kept
    const name = `${id}.${EXTENSIONS[DOCUMENT_TYPES[contentType]!]}`;
    const { url, expiresAt } = await this.storage.presignGet(object.key, name, now);
    return {
      result_id: id,
      order_id: orderId,
      report_type: reportType,
      content_type: contentType,
      size: Number(object.size),
      sha256: Buffer.from(object.sha256).toString('hex'),
      delivered_at: deliveredAt!.toISOString(),
      ...(acknowledgedAt && { acknowledged_at: acknowledgedAt.toISOString() }),
      download_url: url,
      expires_at: expiresAt.toISOString(),
    };
  }
}

function downloadOf(caller: Caller, { id, orderId, order: { studies } }: Row) {
  return actedBy<'results:download'>(caller, {
    action: 'results:download',
    resource: { type: 'Result', id },
    ...(studies.length === 1 && { studyRef: studies[0]!.studyId }),
    detail: { order: orderId },
  });
}

const after = ({ createdAt: deliveredAt, id }: Position): Prisma.ResultWhereInput => ({
  deliveredAt: { gte: deliveredAt },
  OR: [{ deliveredAt: { gt: deliveredAt } }, { id: { gt: id } }],
});
