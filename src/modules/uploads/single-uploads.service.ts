import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { GroupCommit } from '../../platform/database/group-commit.js';
import { newId } from '../../platform/database/id.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { ApplicationError } from '../../platform/errors/application-error.js';
import { type SignedRequest, URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { orderClosed } from '../orders/orders.errors.js';
import { type OrderAccess, OrdersService } from '../orders/orders.service.js';
import { insertIssued, type NewUpload } from './upload.issue.js';
import { stagingKey } from './uploads.keys.js';

/** One object as its uploader declares it; all of it may be left out. */
export interface Declaration {
  orderId?: string;
  name?: string;
  contentType?: string;
  /** Bytes; signed into the URL. */
  size?: number;
  sha256?: Buffer;
}

export interface SingleUpload {
  uploadId: string;
  /** Where the PUT goes. */
  key: string;
  request: SignedRequest;
}

interface Item {
  caller: Caller;
  upload: NewUpload;
}

/**
 * Issues one URL at a time: the hottest write there is, once an instance. Requests of one organization that arrive
 * together share a transaction.
 */
@Injectable()
export class SingleUploadsService {
  private readonly commits = new GroupCommit<Item, ApplicationError | undefined>((organizationId, items) =>
    this.database.withOrganizationSql(organizationId, (tx) => this.commit(tx, organizationId, items)),
  );

  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly orders: OrdersService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found (the order), order_closed */
  async issue(caller: Caller, declared: Declaration): Promise<SingleUpload> {
    const { organizationId, kind, id } = caller.principal;
    const uploadId = newId();
    const upload: NewUpload = {
      ...declared,
      id: uploadId,
      surface: 'ingestion',
      principal: { kind, id },
      mayReplace: mayReplace(caller),
    };
    const refusal = await this.commits.add(organizationId, { caller, upload });
    if (refusal) throw refusal;
    const key = stagingKey(organizationId, uploadId);
    return { uploadId, key, request: await this.storage.presignPut(key, declared.size, this.clock.now()) };
  }

  /** A refusal is the answer to one item, not a failure: it must not make the others be tried again singly. */
  private async commit(
    tx: SqlTransaction,
    organizationId: string,
    items: Item[],
  ): Promise<(ApplicationError | undefined)[]> {
    const orders = await this.orders.hold(tx, organizationId, [
      ...new Set(items.flatMap(({ upload }) => upload.orderId ?? [])),
    ]);
    const refusals = items.map((item) => this.refusalOf(item, orders));
    const accepted = items.filter((_, index) => !refusals[index]);
    const issuedAt = this.clock.now();
    const urlExpiresAt = new Date(issuedAt.getTime() + URL_LIFETIME_SECONDS * 1000);
    if (accepted.length > 0)
      await insertIssued(
        tx,
        organizationId,
        { issuedAt, urlExpiresAt },
        accepted.map(({ upload }) => upload),
      );
    await this.audit.record(
      tx,
      ...accepted.map(({ caller, upload }) =>
        actedBy<'uploads:issue'>(caller, {
          action: 'uploads:issue',
          resource: { type: 'Upload', id: upload.id },
          detail: { order: upload.orderId ?? null },
        }),
      ),
    );
    return refusals;
  }

  private refusalOf(
    { caller, upload }: Item,
    orders: Map<string, OrderAccess>,
  ): ApplicationError | undefined {
    if (!upload.orderId) return undefined;
    const order = orders.get(upload.orderId);
    try {
      this.orders.assertMayUse(caller, order);
    } catch (error) {
      return error as ApplicationError;
    }
    return order.closedAt ? orderClosed() : undefined;
  }
}

/** Whose rows it would replace is not known before the bytes are read, hence no condition on them. */
const mayReplace = ({ ability, scopes }: Caller): boolean =>
  scopes.includes('studies:write') && ability.can('uploads:replace', 'Upload');
