import { Inject, Injectable } from '@nestjs/common';
import type { AuditExport } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { OPERATOR } from './audit.actors.js';
import { actedBy, AuditService } from './audit.service.js';
import type { EventFilter } from './event.filter.js';
import { exportQuota, monthRetired, tooManyExports } from './exports.errors.js';
import { writeExport } from './exports.jobs.js';
import { EXTENSIONS, exportKey, manifestKey } from './exports.keys.js';
import type {
  CreatedExport,
  CreateExport,
  ExportPage,
  ExportView,
  ListedExport,
  ListExports,
} from './exports.schemas.js';
import { completeSince, retiredMonths, retiredWithin } from './retired.rows.js';

/** Exports of one organization that may be unfinished at a time. */
const MOST_UNFINISHED = 3;
const DAY_MS = 24 * 3600_000;
/** Of an export whose events are all read, and whose manifest is being written. */
const ALMOST_DONE = 0.99;

/** Exports of an organization's ledger: asked for and fetched here, written by the worker. */
@Injectable()
export class ExportsService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly storage: StorageService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /** @throws validation_error (a time to come), too_many_exports, export_quota, month_retired, idempotency_mismatch */
  async create(caller: Caller, input: CreateExport, key: string | undefined): Promise<CreatedExport> {
    const { organizationId } = caller.principal;
    this.assertPast(input);
    const claim = { caller, operation: 'audit:create-export', key, body: input };
    const made = await this.database.withOrganization(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () => this.insert(tx, caller, input));
      await this.audit.record(
        tx,
        actedBy<'audit:create-export'>(caller, {
          action: 'audit:create-export',
          resource: { type: 'AuditExport', id },
          detail: {
            format: input.format,
            interval: namesOf({ from: input.from, to: input.to }),
            filters: namesOf(input.filters ?? {}),
            replayed,
          },
        }),
      );
      return findExport(tx, caller, 'audit:create-export', id);
    });
    if (made.state === 'queued')
      await this.enqueuer.enqueue(writeExport, [{ organizationId, exportId: made.id }]);
    return { id: made.id, state: made.state };
  }

  /** Newest first. */
  list(caller: Caller, { limit, cursor }: ListExports): Promise<ExportPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.auditExport.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'audit:list-exports').ofType('AuditExport'),
            { organizationId },
            ...(cursor ? olderThan(cursor) : []),
          ],
        },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toListed);
    });
  }

  /** With URLs of its file and its manifest once they are there: the event of this read is the proof of their issuance. @throws not_found */
  async read(caller: Caller, id: string): Promise<ExportView> {
    const found = await this.database.withOrganization(caller.principal.organizationId, (tx) =>
      findExport(tx, caller, 'audit:read-export', id),
    );
    if (found.state !== 'done') return toListed(found);
    const now = this.clock.now();
    const name = nameOf(found);
    const [file, manifest] = await Promise.all([
      this.storage.presignGet(exportKey(found), `${name}.${EXTENSIONS[found.format]}`, now),
      this.storage.presignGet(manifestKey(found), `${name}.manifest.ndjson`, now),
    ]);
    return {
      ...toListed(found),
      download_url: file.url,
      manifest_url: manifest.url,
      expires_in: URL_LIFETIME_SECONDS,
    };
  }

  private assertPast(input: CreateExport): void {
    const now = this.clock.now();
    const later = (['from', 'to'] as const).filter((member) => input[member] && input[member] > now);
    if (later.length > 0)
      throw validationError(later.map((path) => ({ path, message: 'must not be in the future' })));
  }

  /** What retention asks for is nobody's choice, and does not count. */
  private async assertQuota(tx: Transaction, organizationId: string): Promise<void> {
    const most = this.config.AUDIT_EXPORTS_PER_DAY;
    const yesterday = this.clock.now().getTime() - DAY_MS;
    const [oldest] = await tx.auditExport.findMany({
      select: { createdAt: true },
      where: {
        organizationId,
        createdAt: { gt: new Date(yesterday) },
        requestedByKind: { not: OPERATOR.kind },
      },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      skip: most - 1,
      take: 1,
    });
    if (oldest) throw exportQuota(most, Math.ceil((oldest.createdAt.getTime() - yesterday) / 1000));
  }

  private async insert(tx: Transaction, caller: Caller, input: CreateExport): Promise<string> {
    const { organizationId, kind, id: requestedById } = caller.principal;
    await tx.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended('audit export ' || ${organizationId}::text, 0))::text`;
    const unfinished = await tx.auditExport.count({ where: { organizationId, finishedAt: null } });
    if (unfinished >= MOST_UNFINISHED) throw tooManyExports(MOST_UNFINISHED);
    await this.assertQuota(tx, organizationId);
    const months = await retiredMonths(tx, organizationId);
    if (retiredWithin(months, input).length > 0) throw monthRetired(completeSince(months)!);
    const [id, now] = [newId(), this.clock.now()];
    await tx.auditExport.create({
      data: {
        organizationId,
        id,
        format: input.format,
        from: input.from ?? null,
        to: input.to ?? null,
        filters: input.filters ?? {},
        state: 'queued',
        requestedByKind: kind,
        requestedById,
        createdAt: now,
        progressedAt: now,
      },
    });
    return id;
  }
}

/** @throws not_found when there is none, or none the caller may perform the operation on. */
async function findExport(
  tx: Transaction,
  caller: Caller,
  operation: string,
  id: string,
): Promise<AuditExport> {
  const { organizationId } = caller.principal;
  const found = await tx.auditExport.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('AuditExport'), { organizationId, id }] },
  });
  if (!found) throw notFound();
  return found;
}

const namesOf = (members: object): string[] =>
  Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [name]));

/** What its file is called when it is saved: `audit-<from>-<to>`, in UTC and without colons, which not every file system takes. */
function nameOf({ from, to, createdAt }: AuditExport): string {
  const text = (time: Date | null, otherwise: string) =>
    time?.toISOString().replace(/\.\d+Z$|[-:]/g, (part) => (part.length > 1 ? 'Z' : '')) ?? otherwise;
  return `audit-${text(from, 'start')}-${text(to ?? createdAt, '')}`;
}

const toListed = (row: AuditExport): ListedExport => ({
  id: row.id,
  format: row.format,
  from: row.from?.toISOString() ?? null,
  to: row.to?.toISOString() ?? null,
  filters: row.filters as EventFilter & Record<string, string>,
  state: row.state,
  progress: progressOf(row),
  rows: Number(row.rows),
  bytes: Number(row.bytes),
  complete: Object.keys(row.filters as object).length === 0,
  requested_at: row.createdAt.toISOString(),
  ...(row.finishedAt && { finished_at: row.finishedAt.toISOString() }),
  ...(row.failure !== null && { failure: row.failure }),
  ...(row.firstBad !== null && { first_bad: { seq: Number(row.firstBad) } }),
});

/** The part of its positions that are done, of 1. */
function progressOf({ state, firstPosition, nextPosition, endPosition }: AuditExport): number {
  if (state === 'done') return 1;
  if (firstPosition === null || nextPosition === null || endPosition === null) return 0;
  const all = Number(endPosition - firstPosition);
  return all === 0 ? ALMOST_DONE : ALMOST_DONE * (Number(nextPosition - firstPosition) / all);
}
