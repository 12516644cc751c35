import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { MultipartId } from '../../../platform/storage/multipart-upload.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { Ledgers } from '../../access/ledgers.js';
import { WORKER } from '../../audit/audit.actors.js';
import { type Attempt, claimExport, finishExport, reportExport } from './deletion.rows.js';
import {
  type ExportedTable,
  exportedTables,
  exportOrganization,
  exportPage,
  objectPage,
  type Page,
  TABLES_LEFT_OUT,
} from './export.rows.js';
import { writeCompressed, type Written } from './parts.writer.js';

/** Another attempt has begun, or the deletion was called off. */
class Superseded extends Error {
  override name = 'Superseded';
}

/** The bucket has something else under the key than what it was given. */
class Altered extends Error {
  override name = 'Altered';
}

/** An attempt as it goes on. */
interface UnderWay extends Attempt {
  rows: number;
  bytes: number;
  multipart?: MultipartId | undefined;
  /** Rows by table. */
  counts: Record<string, number>;
}

/**
 * Writes every row of an organization into the bucket, page by page and part by part, in constant memory. An attempt that
 * ends half-way leaves nothing but parts, which the next one clears away before it begins anew.
 */
@Injectable()
export class ExportService {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly ledgers: Ledgers,
    private readonly clock: Clock,
  ) {}

  /** Twice is once: what is exported already, or called off, is left alone. */
  async export(deletion: { organizationId: string; deletionId: string }): Promise<void> {
    const { organizationId, deletionId } = deletion;
    const claimed = await this.database.withOrganizationSql(organizationId, (tx) =>
      claimExport(tx, deletion, this.clock.now()),
    );
    if (!claimed) return;
    const { left, ...attempt } = claimed;
    if (left) await this.storage.abortMultipart(left);
    const underWay: UnderWay = { ...attempt, rows: 0, bytes: 0, counts: {} };
    const [key, manifestKey] = [
      `exports/${organizationId}/${deletionId}.ndjson.gz`,
      `exports/${organizationId}/${deletionId}.manifest.ndjson.gz`,
    ];
    try {
      const tables = await this.database.withOrganizationSql(organizationId, exportedTables);
      const file = await this.write(underWay, key, this.rows(underWay, tables), true);
      const manifest = this.manifest(underWay, tables, { key, ...file });
      await this.write(underWay, manifestKey, manifest, false);
      await this.finish(underWay, { key, manifestKey, ...file });
    } catch (error) {
      if (!(error instanceof Superseded)) throw error;
      if (underWay.multipart) await this.storage.abortMultipart(underWay.multipart);
    }
  }

  private async write(
    underWay: UnderWay,
    key: string,
    text: AsyncIterable<string>,
    counted: boolean,
  ): Promise<Written> {
    const upload = await this.storage.beginMultipart(key);
    underWay.multipart = upload.started;
    await this.inside(underWay, () => Promise.resolve());
    const written = await writeCompressed(upload, text, (bytes) => {
      if (counted) underWay.bytes += bytes;
    });
    await this.inside(underWay, () => Promise.resolve()); // whoever comes later has not aborted it yet
    await upload.complete();
    underWay.multipart = undefined;
    if ((await this.storage.head(key))?.size !== written.bytes) throw new Altered();
    return written;
  }

  /** Each table in the order of its key: nobody of the organization changes a row any more. */
  private async *rows(underWay: UnderWay, tables: ExportedTable[]): AsyncGenerator<string> {
    yield await this.inside(underWay, (tx) => exportOrganization(tx, underWay.organizationId));
    underWay.rows++;
    underWay.counts.organization = 1;
    for (const { name } of tables) {
      underWay.counts[name] = 0;
      const pages = this.pages<string[]>(underWay, (tx, after) =>
        exportPage(tx, underWay.organizationId, name, after),
      );
      for await (const { lines, rows } of pages) {
        yield lines;
        underWay.rows += rows;
        underWay.counts[name] += rows;
      }
    }
  }

  /** What the export holds and what it does not, and then every verified object, whose bytes it does not. */
  private async *manifest(
    underWay: UnderWay,
    tables: ExportedTable[],
    { key, bytes, sha256 }: Written & { key: string },
  ): AsyncGenerator<string> {
    const columns = tables.flatMap(({ name, secrets }) => secrets.map((column) => `${name}.${column}`));
    const { organizationId, deletionId, rows, counts } = underWay;
    const manifest = {
      organization: organizationId,
      deletion: deletionId,
      export: { key, bytes, sha256: sha256.toString('hex'), rows, tables: counts },
      left_out: { tables: TABLES_LEFT_OUT, columns },
    };
    yield `${JSON.stringify({ manifest })}\n`;
    const pages = this.pages<string>(underWay, (tx, after) => objectPage(tx, organizationId, after));
    for await (const { lines } of pages) yield lines;
  }

  private async *pages<Position>(
    underWay: UnderWay,
    read: (tx: SqlTransaction, after: Position | null) => Promise<Page<Position> | undefined>,
  ): AsyncGenerator<Page<Position>> {
    for (let after: Position | null = null; ;) {
      const from: Position | null = after;
      const page: Page<Position> | undefined = await this.inside(underWay, (tx) => read(tx, from));
      if (!page) return;
      yield page;
      after = page.last;
    }
  }

  /** Reads in a transaction that says how far it is. @throws {Superseded} */
  private inside<T>(underWay: UnderWay, work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return this.database.withOrganizationSql(underWay.organizationId, async (tx) => {
      if (!(await reportExport(tx, underWay, underWay, this.clock.now()))) throw new Superseded();
      return work(tx);
    });
  }

  private async finish(
    underWay: UnderWay,
    file: Written & { key: string; manifestKey: string },
  ): Promise<void> {
    const { organizationId, deletionId, rows } = underWay;
    await this.database.withOrganization(organizationId, async (tx) => {
      if (!(await finishExport(tx, underWay, { ...file, rows }, this.clock.now()))) throw new Superseded();
      await this.ledgers.record<'organizations:exported'>(tx, organizationId, {
        organizationId: PLATFORM_ORGANIZATION,
        actor: WORKER,
        action: 'organizations:exported',
        outcome: 'success',
        resource: { type: 'Organization', id: organizationId },
        detail: { deletion: deletionId, rows, bytes: file.bytes, sha256: file.sha256.toString('hex') },
      });
    });
  }
}
