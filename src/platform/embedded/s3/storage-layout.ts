import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where things lie below the data directory (all on one file system, since files are renamed and linked between them):
 *
 *   buckets/<bucket>/bucket.json      configuration
 *   buckets/<bucket>/objects/...      one file per object, see key-path.ts
 *   pieces/<2 hex>/<id>               bytes of copies and multipart objects (hard links)
 *   uploads/<bucket>/<upload>/...     multipart uploads in progress
 *   tmp/                              what is being written or removed; cleaned at start
 */
export class StorageLayout {
  readonly tmp: string;
  readonly buckets: string;
  private readonly pieces: string;
  private readonly uploads: string;

  constructor(dataDir: string) {
    this.tmp = join(dataDir, 'tmp');
    this.buckets = join(dataDir, 'buckets');
    this.pieces = join(dataDir, 'pieces');
    this.uploads = join(dataDir, 'uploads');
  }

  /** Creates the fixed directories. */
  prepare(): void {
    for (const directory of [this.tmp, this.buckets, this.uploads, this.pieces]) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
    for (let n = 0; n < 256; n++) {
      mkdirSync(join(this.pieces, n.toString(16).padStart(2, '0')), { recursive: true });
    }
  }

  bucket(bucket: string): string {
    return join(this.buckets, bucket);
  }

  objects(bucket: string): string {
    return join(this.buckets, bucket, 'objects');
  }

  piece(id: string): string {
    return join(this.pieces, id.slice(0, 2), id);
  }

  bucketUploads(bucket: string): string {
    return join(this.uploads, bucket);
  }

  upload(bucket: string, uploadId: string): string {
    return join(this.uploads, bucket, uploadId);
  }

  /** A fresh path in tmp/. */
  temporary(): string {
    return join(this.tmp, newId());
  }
}

/** 128 random bits in lower case hexadecimal. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}
