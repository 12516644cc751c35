import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { auditSource } from '../event.participants.js';
import { exportKey } from '../exports.keys.js';
import { ExportBucket } from './export.bucket.js';
import { ExportParts, PART_BYTES, type SentPart } from './export.parts.js';
import { NO_PARTS, type Progress, progressMac, withPart } from './export.progress.js';
import { recordPart, recordWritten, restartExport, type ScopedExport } from './export.rows.js';
import { nextStretch } from './export.scope.js';
import { FORMATS } from './formats/formats.js';
import { findStudies } from './formats/studies.rows.js';
import { formsKey } from './forms.rows.js';
import { type SealedEvents, sealedEvents, type Stretch } from './lines/sealed-events.js';
import type { EventRun } from './lines/wanted-events.js';
import { RetiredEvents } from './retired-events.js';

/** What the bucket says of parts that it has lost, or that somebody has written again. */
const LOST = ['NoSuchUpload', 'InvalidPart'];

/** Batches that are read while one is written: the database is not to wait for the bucket, nor that for the database. */
const READ_AHEAD = 2;

/** The file of an export, behind the parts of it that are in the bucket. */
@Injectable()
export class ExportFile {
  /** Of one part, at least. */
  partBytes = PART_BYTES;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly bucket: ExportBucket,
    private readonly clock: Clock,
  ) {}

  /** Adds what it writes to the export's contents. @throws Superseded @throws LedgerDamaged */
  async write(underWay: ScopedExport): Promise<void> {
    const key = exportKey({ ...underWay, id: underWay.exportId });
    const { contents } = underWay;
    const etags = contents.parts.map(({ etag }) => etag);
    let { digest } = underWay;
    let upload = underWay.multipart && this.storage.resumeMultipart(underWay.multipart, etags);
    const file = new ExportParts(
      async () => (upload ??= await this.bucket.begin(underWay, key)),
      async (part: SentPart) => {
        digest = withPart(digest, part);
        const mac = this.macOf(underWay, { next: part.next, written: false, digest });
        await this.bucket.inside(underWay, (tx) => recordPart(tx, underWay, part, mac, this.clock.now()));
        contents.add(part);
      },
      this.partBytes,
    );
    try {
      await this.fill(file, underWay);
      await this.bucket.complete(key, upload, contents.size);
    } catch (error) {
      await file.settled(); // whoever comes next sends parts of these numbers
      if (LOST.includes((error as Error).name)) await this.restart(underWay);
      throw error;
    }
    const mac = this.macOf(underWay, { next: underWay.scope.end, written: true, digest });
    await this.bucket.inside(underWay, (tx) => recordWritten(tx, underWay, mac, this.clock.now()));
  }

  private restart(underWay: ScopedExport): Promise<void> {
    const mac = this.macOf(underWay, { next: underWay.scope.first, written: false, digest: NO_PARTS });
    return this.bucket.inside(underWay, (tx) => restartExport(tx, underWay, mac, this.clock.now()));
  }

  private macOf(underWay: ScopedExport, progress: Progress): Buffer {
    return progressMac(this.config.SCANDOCK_MASTER_KEY, underWay, progress);
  }

  private async fill(file: ExportParts, underWay: ScopedExport): Promise<void> {
    const { organizationId, scope, next } = underWay;
    const begun = underWay.contents.parts.length > 0;
    if (begun && next === scope.end) return; // the last part, and what closes the file with it
    const format = FORMATS[underWay.format];
    const context = {
      source: auditSource(this.config),
      findStudies: (ids: string[]) =>
        this.database.withOrganizationSql(organizationId, (tx) => findStudies(tx, organizationId, ids)),
    };
    if (!begun) file.add(format.opening);
    let empty = underWay.rows === 0;
    for await (const events of this.events(underWay)) {
      await file.breathe(events.first);
      const text = await format.write(events, context);
      file.addEvents(events, empty ? format.first : format.separator, text);
      empty = false;
    }
    file.add(format.closing(empty));
    await file.end(scope.end);
  }

  private async *events(underWay: ScopedExport): AsyncGenerator<EventRun> {
    const { database, storage } = this;
    const masterKey = this.config.SCANDOCK_MASTER_KEY;
    const retired = new RetiredEvents({ database, storage, masterKey }, underWay.organizationId);
    for await (const { runs, lost } of this.batches(underWay)) {
      await retired.expectRetired(lost);
      yield* runs;
    }
  }

  /** While one batch is written, those behind it are read. */
  private async *batches(underWay: ScopedExport): AsyncGenerator<SealedEvents> {
    const { database } = this;
    const organization = underWay.organizationId;
    const ledger = {
      database,
      organization,
      formsKey: formsKey(this.config.SCANDOCK_MASTER_KEY, organization),
    };
    const coming: Promise<SealedEvents>[] = [];
    for await (const stretch of this.stretches(underWay)) {
      const events = sealedEvents(ledger, stretch);
      events.catch(() => undefined); // whoever waits for it is told
      coming.push(events);
      if (coming.length > READ_AHEAD) yield await coming.shift()!;
    }
    for (const events of coming) yield await events;
  }

  private async *stretches({
    organizationId,
    scope,
    next,
    ...wanted
  }: ScopedExport): AsyncGenerator<Stretch> {
    while (next < scope.end) {
      const stretch = await this.database.withOrganizationSql(organizationId, (tx) =>
        nextStretch(tx, organizationId, next, scope.end, wanted),
      );
      yield stretch;
      next = stretch.until;
    }
  }
}
