import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CorsRule } from './cors.js';
import { KeyedLock } from './keyed-lock.js';
import type { ObjectStore } from './object-store.js';
import { S3Error } from './s3-error.js';
import type { StorageLayout } from './storage-layout.js';

export interface BucketConfiguration {
  /** Milliseconds since the epoch. */
  created: number;
  cors?: CorsRule[];
  /** The lifecycle document as given; it is reported, not executed. */
  lifecycle?: string;
}

/** S3's naming rules, which also make every name a safe directory name. */
const BUCKET_NAME = /^(?!xn--|\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

/** Buckets and their configuration: few, so all are held in memory. */
export class BucketStore {
  private readonly buckets = new Map<string, BucketConfiguration>();
  private readonly lock = new KeyedLock();

  constructor(
    private readonly layout: StorageLayout,
    private readonly objects: ObjectStore,
    private readonly fsync: boolean,
  ) {}

  /** Reads the buckets at start. */
  load(): void {
    for (const name of readdirSync(this.layout.buckets)) {
      const text = readFileSync(join(this.layout.bucket(name), 'bucket.json'), 'utf8');
      this.buckets.set(name, JSON.parse(text) as BucketConfiguration);
      // A crash in the middle of a removal may have taken the (empty) tree only.
      mkdirSync(this.layout.objects(name), { recursive: true });
    }
  }

  find(bucket: string): BucketConfiguration | undefined {
    return this.buckets.get(bucket);
  }

  /** @throws S3Error NoSuchBucket */
  require(bucket: string): BucketConfiguration {
    const found = this.buckets.get(bucket);
    if (!found) throw new S3Error('NoSuchBucket', undefined, { elements: { BucketName: bucket } });
    return found;
  }

  /** Names and configurations in order of the names. */
  list(): [string, BucketConfiguration][] {
    return [...this.buckets].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** @throws S3Error InvalidBucketName, BucketAlreadyOwnedByYou */
  async create(bucket: string, created: number): Promise<void> {
    if (!BUCKET_NAME.test(bucket)) throw new S3Error('InvalidBucketName');
    await this.lock.run(bucket, async () => {
      if (this.buckets.has(bucket)) throw new S3Error('BucketAlreadyOwnedByYou');
      const configuration = { created };
      // Built aside and renamed: a bucket is there completely or not at all.
      const building = this.layout.temporary();
      await mkdir(join(building, 'objects'), { recursive: true });
      await this.writeFile(join(building, 'bucket.json'), configuration);
      await this.objects.directories.sync(building);
      await rename(building, this.layout.bucket(bucket));
      await this.objects.directories.sync(this.layout.buckets);
      this.buckets.set(bucket, configuration);
    });
  }

  /** @throws S3Error NoSuchBucket, BucketNotEmpty */
  async delete(bucket: string): Promise<void> {
    await this.lock.run(bucket, async () => {
      this.require(bucket);
      if (!(await this.objects.tree.removeRoot(this.layout.objects(bucket))))
        throw new S3Error('BucketNotEmpty');
      this.buckets.delete(bucket);
      const gone = this.layout.temporary();
      await rename(this.layout.bucket(bucket), gone);
      await this.objects.directories.sync(this.layout.buckets);
      await rm(gone, { recursive: true, force: true });
      await rm(this.layout.bucketUploads(bucket), { recursive: true, force: true });
    });
  }

  /** Replaces parts of a bucket's configuration; undefined removes. */
  async configure(bucket: string, change: Partial<BucketConfiguration>): Promise<void> {
    await this.lock.run(bucket, async () => {
      const next = { ...this.require(bucket), ...change };
      const file = this.layout.temporary();
      await this.writeFile(file, next);
      await rename(file, join(this.layout.bucket(bucket), 'bucket.json'));
      await this.objects.directories.sync(this.layout.bucket(bucket));
      this.buckets.set(bucket, next);
    });
  }

  private async writeFile(path: string, configuration: BucketConfiguration): Promise<void> {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(JSON.stringify(configuration));
      if (this.fsync) await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
