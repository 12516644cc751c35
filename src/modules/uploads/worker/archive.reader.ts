import { Injectable } from '@nestjs/common';
import { boundedText } from '../../../formats/text/bounded-text.js';
import { openZip } from '../../../formats/zip/archive.js';
import type { ContentsFailure, NiftiArchive, StudyArchive } from '../../../formats/zip/contents.js';
import type { ZipEntry } from '../../../formats/zip/entry.js';
import type { RangeSource } from '../../../formats/zip/range-source.js';
import { type EntryRole, surveyArchive } from '../../../formats/zip/survey.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { newId } from '../../../platform/database/id.js';
import { unavailable } from '../../../platform/errors/application-error.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { parseSidecar } from '../../metadata/sidecar.js';
import { type Claim, recordArchive, renewCopy } from '../upload.ledger.js';
import type { Rejection } from '../uploads.rules.js';
import type { Archive, ArchiveEntry, Rejected } from './content.js';
import { EntryWriter, type WrittenEntry } from './entry.writer.js';

/** Names of skipped entries that are told, and the most of each. */
const MAX_SKIPPED = 200;
const MAX_SKIPPED_NAME = 200;
/** The most that is kept of an entry's name as an upload's. */
const MAX_NAME = 1000;

/** How often an archive that is being read says so: often enough for its copy not to be taken for a dead worker's. */
const RENEW_MS = 5 * 60 * 1000;

/**
 * Reads a copied archive by ranged requests and makes each image in it an object of its own, under the copy's key. That
 * they lie there is recorded before the first is written: whatever becomes of the archive, nothing unknown is left.
 */
@Injectable()
export class ArchiveReader {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly clock: Clock,
  ) {}

  /** @throws what the bucket throws */
  async read(organizationId: string, claim: Claim, size: number): Promise<Archive | Rejected> {
    const opened = await openZip(this.source(organizationId, claim, size));
    if (!opened.ok) return refused(opened);
    const { archive } = opened;
    const recorded = await this.database.withOrganization(
      organizationId,
      async (tx) =>
        (await recordArchive(tx, organizationId, claim)) &&
        renewCopy(tx, organizationId, claim, this.clock.now()),
    );
    if (!recorded) throw unavailable(new Error('the copy was given up before its entries were read'));
    const writer = new EntryWriter(this.storage, claim.key);
    try {
      const verdict = await surveyArchive(archive, (entry, _role, bytes) => writer.write(entry, bytes));
      const written = await writer.finish();
      return verdict.ok ? await this.keep(verdict.contents, written) : refused(verdict);
    } finally {
      archive.close();
      await writer.settled(); // after a failure too: a retry must not meet writes of this try
    }
  }

  /** What was written before it turned out to be of no use is removed now: once the archive has won, no sweep knows it. */
  private async keep(
    found: StudyArchive | NiftiArchive,
    written: Map<ZipEntry, WrittenEntry>,
  ): Promise<Archive | Rejected> {
    const archive = toArchive(found, written);
    if ('rejection' in archive) return archive;
    const named = new Set(archive.entries.map(({ key }) => key));
    const useless = [...written.values()].map(({ key }) => key).filter((key) => !named.has(key));
    const kept = await this.storage.delete(useless);
    if (kept.size > 0) throw unavailable(new Error('the bucket kept entries that are of no use'));
    return archive;
  }

  /** Going on reading is what shows that the worker lives; one that stands still renews nothing. */
  private source(organizationId: string, claim: Claim, size: number): RangeSource {
    const { storage, clock } = this;
    let renewedAt = clock.now();
    const renew = async () => {
      const now = clock.now();
      if (now.getTime() - renewedAt.getTime() < RENEW_MS) return;
      const renewed = await this.database.withOrganization(organizationId, (tx) =>
        renewCopy(tx, organizationId, claim, now),
      );
      if (!renewed) throw unavailable(new Error('the copy was given up while it was read'));
      renewedAt = now;
    };
    return {
      size,
      async *read(start, end) {
        await renew();
        const range = await storage.readRange(claim.key, start, end);
        if (!range) throw unavailable(new Error('the copy vanished while it was read'));
        yield* range.bytes;
      },
    };
  }
}

function toArchive(
  found: StudyArchive | NiftiArchive,
  written: Map<ZipEntry, WrittenEntry>,
): Archive | Rejected {
  const skipped = found.skipped
    .filter(({ reason }) => reason !== 'directory')
    .slice(0, MAX_SKIPPED)
    .map(({ entry }) => boundedText(entry.name, MAX_SKIPPED_NAME));
  const sidecar = found.sidecar && parseSidecar(found.sidecar);
  if (sidecar && !sidecar.ok) return refused(sidecar);
  const common = { kind: 'zip' as const, skipped, ...(sidecar && { sidecar: sidecar.overlay }) };
  const make = (entry: ZipEntry, content: ArchiveEntry['content']): ArchiveEntry => ({
    ...written.get(entry)!,
    uploadId: newId(),
    name: boundedText(entry.name, MAX_NAME),
    content,
  });
  if (found.kind === 'dicom')
    return {
      ...common,
      entries: found.instances.map(({ entry, header }) => make(entry, { kind: 'dicom', header })),
    };
  const roles: [ZipEntry, Exclude<EntryRole, 'dicom'>][] = [
    [found.volume.entry, 'nifti'],
    [found.bval.entry, 'bval'],
    [found.bvec.entry, 'bvec'],
  ];
  const { dimensions, volumes } = found.volume.header;
  return {
    ...common,
    entries: roles.map(([entry, kind]) => make(entry, { kind })),
    nifti: { dimensions: dimensions.slice(0, 3), volumes },
  };
}

const refused = ({
  rule,
  message,
  where,
}: Pick<ContentsFailure, 'message' | 'where'> & { rule: Rejection['rule'] }): Rejected => ({
  rejection: { rule, message, ...(where !== undefined && { where }) },
});
