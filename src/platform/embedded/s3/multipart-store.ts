import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Checksum, type ChecksumAlgorithm } from './checksums.js';
import { KeyedLock } from './keyed-lock.js';
import { type ObjectFileWriter, type ObjectMetadata, readMetadata } from './object-file.js';
import type { WrittenMetadata } from './object-metadata.js';
import type { ObjectStore, WriteCondition } from './object-store.js';
import { S3Error } from './s3-error.js';
import { newId } from './storage-layout.js';

/** S3: every part but the last has at least 5 MiB. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
export const MAX_PART_NUMBER = 10_000;

export interface Upload {
  id: string;
  bucket: string;
  key: string;
  /** Milliseconds since the epoch. */
  initiated: number;
  written: WrittenMetadata;
  checksum?: ChecksumAlgorithm;
}

export interface PartReference {
  number: number;
  etag: string;
  checksums: Partial<Record<string, string>>;
}

export type StoredPart = ObjectMetadata & { number: number };

/** Multipart uploads in progress: a directory each, with a description and one file per part. */
export class MultipartStore {
  private readonly locks = new KeyedLock();

  constructor(
    private readonly objects: ObjectStore,
    private readonly fsync: boolean,
  ) {}

  async create(upload: Omit<Upload, 'id'>): Promise<Upload> {
    const created = { ...upload, id: newId() };
    const { layout, directories } = this.objects;
    const building = layout.temporary();
    await mkdir(building);
    const handle = await open(join(building, 'upload.json'), 'wx');
    try {
      await handle.writeFile(JSON.stringify(created));
      if (this.fsync) await handle.sync();
    } finally {
      await handle.close();
    }
    await directories.sync(building);
    await mkdir(layout.bucketUploads(upload.bucket), { recursive: true });
    await rename(building, layout.upload(upload.bucket, created.id));
    await directories.sync(layout.bucketUploads(upload.bucket));
    return created;
  }

  /** @throws S3Error NoSuchUpload, also when the upload is of another key */
  async require(bucket: string, key: string, id: string): Promise<Upload> {
    const upload = /^[0-9a-f]{32}$/.test(id) ? await this.load(bucket, id) : undefined;
    if (!upload || upload.key !== key)
      throw new S3Error('NoSuchUpload', undefined, { elements: { UploadId: id } });
    return upload;
  }

  private async load(bucket: string, id: string): Promise<Upload | undefined> {
    try {
      const text = await readFile(join(this.objects.layout.upload(bucket, id), 'upload.json'), 'utf8');
      return JSON.parse(text) as Upload;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** All uploads of a bucket, in order of key (bytes), then age. */
  async list(bucket: string): Promise<Upload[]> {
    let ids: string[];
    try {
      ids = await readdir(this.objects.layout.bucketUploads(bucket));
    } catch {
      return [];
    }
    const uploads: Upload[] = [];
    for (const id of ids) {
      const upload = await this.load(bucket, id);
      if (upload) uploads.push(upload);
    }
    return uploads.sort(
      (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || a.initiated - b.initiated,
    );
  }

  private partPath(upload: Upload, number: number): string {
    return join(
      this.objects.layout.upload(upload.bucket, upload.id),
      `part-${String(number).padStart(5, '0')}`,
    );
  }

  /** Puts a finished file in place as a part, replacing a former one of that number. */
  async commitPart(upload: Upload, number: number, file: ObjectFileWriter): Promise<void> {
    await this.locks.run(upload.id, async () => {
      try {
        await rename(file.path, this.partPath(upload, number));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new S3Error('NoSuchUpload');
        throw error;
      }
    });
    await this.objects.directories.sync(this.objects.layout.upload(upload.bucket, upload.id));
  }

  /** Parts received so far, by number. */
  async parts(upload: Upload): Promise<StoredPart[]> {
    const names = await readdir(this.objects.layout.upload(upload.bucket, upload.id)).catch(
      () => [] as string[],
    );
    const numbers = names
      .filter((name) => name.startsWith('part-'))
      .map((name) => Number(name.slice(5)))
      .sort((a, b) => a - b);
    return numbers.flatMap((number) => {
      const metadata = readMetadata(this.partPath(upload, number));
      return metadata ? [{ ...metadata, number }] : [];
    });
  }

  /**
   * Makes the object of the chosen parts, by linking them.
   * @throws S3Error InvalidPart, InvalidPartOrder, EntityTooSmall, NoSuchUpload
   */
  async complete(
    upload: Upload,
    chosen: readonly PartReference[],
    now: number,
    condition?: WriteCondition,
  ): Promise<ObjectMetadata> {
    return this.locks.run(upload.id, async () => {
      await this.require(upload.bucket, upload.key, upload.id); // another completion may have come first
      if (chosen.some(({ number }, i) => i > 0 && chosen[i - 1]!.number >= number))
        throw new S3Error('InvalidPartOrder');
      const parts = chosen.map((reference, i) => this.checkPart(upload, reference, i === chosen.length - 1));
      const etags = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
      const checksum = compositeChecksum(upload, parts);
      const description: ObjectMetadata = {
        bucket: upload.bucket,
        key: upload.key,
        size: parts.reduce((sum, part) => sum + part.size, 0),
        etag: `${createHash('md5').update(etags).digest('hex')}-${parts.length}`,
        lastModified: now,
        ...upload.written,
        partCount: parts.length,
        ...(checksum && { checksum }),
      };
      const sources = parts.map((part) => ({ path: this.partPath(upload, part.number), size: part.size }));
      const assembly = await this.objects.assemble(sources, description);
      await this.objects.finishAssembly(assembly, condition);
      await this.remove(upload);
      return assembly.metadata;
    });
  }

  private checkPart(upload: Upload, reference: PartReference, last: boolean): StoredPart {
    const { number } = reference;
    const part = readMetadata(this.partPath(upload, number));
    const given = part?.checksum && reference.checksums[part.checksum.algorithm];
    if (!part || part.etag !== reference.etag || (given !== undefined && given !== part.checksum?.value)) {
      throw new S3Error('InvalidPart', undefined, {
        elements: { PartNumber: String(number), UploadId: upload.id },
      });
    }
    if (!last && part.size < MIN_PART_BYTES) {
      throw new S3Error('EntityTooSmall', undefined, {
        elements: {
          PartNumber: String(number),
          ProposedSize: String(part.size),
          MinSizeAllowed: String(MIN_PART_BYTES),
        },
      });
    }
    return { ...part, number };
  }

  async abort(upload: Upload): Promise<void> {
    await this.locks.run(upload.id, () => this.remove(upload));
  }

  /** Renamed first: it disappears at once, and a start after a crash removes the rest. */
  private async remove(upload: Upload): Promise<void> {
    const gone = this.objects.layout.temporary();
    try {
      await rename(this.objects.layout.upload(upload.bucket, upload.id), gone);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new S3Error('NoSuchUpload');
      throw error;
    }
    await this.objects.directories.sync(this.objects.layout.bucketUploads(upload.bucket));
    await rm(gone, { recursive: true, force: true });
  }
}

/** S3's checksum of checksums, when the upload announced an algorithm. */
function compositeChecksum(upload: Upload, parts: readonly StoredPart[]): ObjectMetadata['checksum'] {
  const algorithm = upload.checksum;
  if (algorithm === undefined) return undefined;
  const values = parts.map((part) =>
    part.checksum?.algorithm === algorithm ? part.checksum.value : undefined,
  );
  if (values.some((value) => value === undefined)) throw new S3Error('InvalidPart');
  const bytes = Buffer.concat(values.map((value) => Buffer.from(value!, 'base64')));
  const checksum = new Checksum(algorithm);
  checksum.update(bytes);
  return { algorithm, value: `${checksum.value()}-${parts.length}`, type: 'COMPOSITE' };
}
