import { constants, existsSync, linkSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { copyFile, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { DirectoryIndex } from './directory-index.js';
import { DirectorySync } from './directory-sync.js';
import { objectPath, toBinary } from './key-path.js';
import { KeyedLock } from './keyed-lock.js';
import { ObjectFileWriter, type ObjectMetadata, type Piece, readMetadata } from './object-file.js';
import { ObjectTree } from './object-tree.js';
import { type StorageLayout, newId } from './storage-layout.js';

/** Metadata of this many objects is remembered. */
const CACHED_OBJECTS = 20_000;

/** Looks at what a write would replace, and throws to refuse it. Called when nothing else can change the object. */
export type WriteCondition = (current: ObjectMetadata | undefined) => void;

/** A file whose first `size` bytes become a piece of an object. */
export interface PieceSource {
  path: string;
  size: number;
}

/** A new object whose pieces are linked, and which has no name yet. */
export interface Assembly {
  file: ObjectFileWriter;
  metadata: ObjectMetadata & { pieces: Piece[] };
}

/**
 * Objects on disk. Every change of an object is one rename under that object's lock; a method that resolves has made its
 * change durable (file synced before the rename, directory after it).
 */
export class ObjectStore {
  readonly index = new DirectoryIndex();
  readonly directories: DirectorySync;
  readonly tree: ObjectTree;
  private readonly locks = new KeyedLock();
  private readonly cache = new LRUCache<string, ObjectMetadata>({ max: CACHED_OBJECTS });

  constructor(
    readonly layout: StorageLayout,
    private readonly fsync: boolean,
  ) {
    this.directories = new DirectorySync(fsync);
    this.tree = new ObjectTree(this.index, this.directories);
  }

  path(bucket: string, key: string): string {
    return join(this.layout.objects(bucket), objectPath(toBinary(key)));
  }

  /** Metadata of an object; undefined when there is none. The caller must not change it. */
  head(bucket: string, key: string): ObjectMetadata | undefined {
    return this.read(this.path(bucket, key));
  }

  private read(path: string): ObjectMetadata | undefined {
    const cached = this.cache.get(path);
    if (cached) return cached;
    const metadata = readMetadata(path);
    // Long piece lists would make the cache heavy, and they are read rarely.
    if (metadata && (metadata.pieces?.length ?? 0) <= 16) this.cache.set(path, metadata);
    return metadata;
  }

  /** Starts a file in tmp/, to be finished and then given to `commit` or to `discard`. */
  newFile(): ObjectFileWriter {
    return new ObjectFileWriter(this.layout.temporary(), this.fsync);
  }

  async discard(file: ObjectFileWriter): Promise<void> {
    await file.abandon();
    await rm(file.path, { force: true });
  }

  /** Makes a finished file the object. On any failure the old object stays; the caller discards the file. */
  async commit(file: ObjectFileWriter, metadata: ObjectMetadata, condition?: WriteCondition): Promise<void> {
    const { bucket, key } = metadata;
    const target = this.path(bucket, key);
    await this.locks.run(target, async () => {
      const current = this.read(target);
      condition?.(current);
      // A crash after the rename must not lose track of the former pieces: a second name in tmp/ remembers them.
      const retired = current?.pieces ? this.layout.temporary() : undefined;
      if (retired) linkSync(target, retired);
      this.cache.delete(target);
      await this.tree.place(file.path, this.layout.objects(bucket), target);
      if (retired) this.dropPieces(current!.pieces!, retired);
    });
    await this.directories.sync(dirname(target));
  }

  /**
   * Prepares a copy: links the files of the source while nothing can replace it. Undefined when there is no source.
   * `describe` gives the new object's metadata, or throws to refuse.
   */
  async prepare(
    bucket: string,
    key: string,
    describe: (source: ObjectMetadata) => ObjectMetadata,
  ): Promise<Assembly | undefined> {
    const path = this.path(bucket, key);
    return this.locks.run(path, async () => {
      const source = this.read(path);
      if (!source) return undefined;
      const sources = source.pieces?.map(({ id, size }) => ({ path: this.layout.piece(id), size }));
      return this.assemble(sources ?? [{ path, size: source.size }], describe(source));
    });
  }

  /**
   * Links existing files into a new object that `finishAssembly` then puts in its place. Their bytes are not copied
   * where the file system can link.
   */
  async assemble(sources: readonly PieceSource[], description: ObjectMetadata): Promise<Assembly> {
    const pieces: Piece[] = sources.map(({ size }) => ({ id: newId(), size }));
    const metadata = { ...description, pieces };
    const file = this.newFile();
    try {
      // Written first, so that a start after a crash finds in tmp/ which pieces were about to be linked.
      await file.finish(metadata);
      for (const [i, source] of sources.entries())
        await this.linkPiece(source.path, this.layout.piece(pieces[i]!.id));
      return { file, metadata };
    } catch (error) {
      this.removePieces(pieces);
      await this.discard(file);
      throw error;
    }
  }

  /** Makes the linked files durable, then the object visible. On failure nothing of it remains. */
  async finishAssembly({ file, metadata }: Assembly, condition?: WriteCondition): Promise<void> {
    try {
      const folders = new Set(metadata.pieces.map(({ id }) => dirname(this.layout.piece(id))));
      // The pieces must be durable before the name that refers to them.
      await Promise.all([
        this.syncFile(file.path),
        ...[...folders].map((folder) => this.directories.sync(folder)),
      ]);
      await this.commit(file, metadata, condition);
    } catch (error) {
      // A failure after the rename (say, of the directory's sync) leaves the new object in place with its pieces.
      const placed = !existsSync(file.path);
      rmSync(file.path, { force: true });
      if (!placed) this.removePieces(metadata.pieces);
      throw error;
    }
  }

  /** Removes an object; fine when there is none. */
  async delete(bucket: string, key: string): Promise<void> {
    const target = this.path(bucket, key);
    await this.locks.run(target, async () => {
      const current = this.read(target);
      if (!current) return;
      this.cache.delete(target);
      if (current.pieces) {
        const retired = this.layout.temporary();
        renameSync(target, retired);
        this.tree.withdraw(target);
        this.dropPieces(current.pieces, retired);
      } else {
        unlinkSync(target);
        this.tree.withdraw(target);
      }
    });
    // Before the directory may go with its last object.
    await this.directories.sync(dirname(target));
    await this.tree.prune(this.layout.objects(bucket), target);
  }

  private dropPieces(pieces: readonly Piece[], retired: string): void {
    this.removePieces(pieces);
    rmSync(retired, { force: true });
  }

  private removePieces(pieces: readonly Piece[]): void {
    for (const { id } of pieces) rmSync(this.layout.piece(id), { force: true });
  }

  private async linkPiece(from: string, to: string): Promise<void> {
    try {
      linkSync(from, to);
    } catch (error) {
      // No hard links here (EPERM, ENOTSUP, EXDEV), or too many of this file (EMLINK): bytes then.
      if (
        !['EPERM', 'ENOTSUP', 'ENOSYS', 'EXDEV', 'EMLINK'].includes(
          (error as NodeJS.ErrnoException).code ?? '',
        )
      ) {
        throw error;
      }
      await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await this.syncFile(to);
    }
  }

  private async syncFile(path: string): Promise<void> {
    if (!this.fsync) return;
    const handle = await open(path, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Removes what a crash left in tmp/, with the pieces that no object refers to. Costs nothing per stored object. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.layout.tmp)) {
      const path = join(this.layout.tmp, name);
      if ((await stat(path)).isFile()) await this.recoverPieces(path);
      await rm(path, { recursive: true, force: true });
    }
  }

  private async recoverPieces(path: string): Promise<void> {
    let left: ObjectMetadata | undefined;
    try {
      left = readMetadata(path);
    } catch {
      return; // cut off while it was written: it never had pieces
    }
    if (!left?.pieces) return;
    const living = new Set(this.head(left.bucket, left.key)?.pieces?.map(({ id }) => id));
    this.removePieces(left.pieces.filter(({ id }) => !living.has(id)));
  }
}
