import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import type { DirectoryIndex } from './directory-index.js';
import type { DirectorySync } from './directory-sync.js';
import { decodeName, entryName } from './key-path.js';
import { KeyedLock } from './keyed-lock.js';
import { S3Error } from './s3-error.js';

const TREE = 'tree';

/**
 * Names in a bucket's directory tree. Directories appear when a key needs them and go when they are empty; both happen
 * under one lock, so that a rename never races a removal.
 */
export class ObjectTree {
  private readonly lock = new KeyedLock();

  constructor(
    private readonly index: DirectoryIndex,
    private readonly directories: DirectorySync,
  ) {}

  /** Puts a finished file in its place. `root` is the bucket's object directory and must exist. */
  async place(file: string, root: string, target: string): Promise<void> {
    try {
      await rename(file, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await this.lock.run(TREE, async () => {
        await this.makeDirectories(root, dirname(target));
        renameSync(file, target);
      });
    }
    this.announce(target);
  }

  private announce(target: string): void {
    const entry = decodeName(basename(target));
    if (entry) this.index.added(dirname(target), entry);
  }

  /** To be called when a file of the tree was removed or renamed away. */
  withdraw(target: string): void {
    const entry = decodeName(basename(target));
    if (entry) this.index.removed(dirname(target), entry);
  }

  private async makeDirectories(root: string, directory: string): Promise<void> {
    const missing: string[] = [];
    for (let path = directory; path !== root; path = dirname(path)) missing.unshift(path);
    for (const path of missing) {
      try {
        mkdirSync(path);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'EEXIST') continue;
        // Only the root itself can be absent here: the bucket was deleted meanwhile.
        if (code === 'ENOENT') throw new S3Error('NoSuchBucket');
        throw error;
      }
      const entry = decodeName(basename(path));
      if (entry) this.index.added(dirname(path), entry);
      await this.directories.sync(dirname(path));
    }
  }

  /** Removes directories that became empty, from the parent of a removed file upwards. */
  async prune(root: string, removed: string): Promise<void> {
    let directory = dirname(removed);
    if (directory === root || this.index.knownOccupied(directory)) return;
    await this.lock.run(TREE, async () => {
      for (; directory !== root && directory.startsWith(root + sep); directory = dirname(directory)) {
        if (!this.removeEmpty(directory)) return;
      }
    });
  }

  private removeEmpty(directory: string): boolean {
    try {
      rmdirSync(directory);
    } catch {
      return false; // not empty, or gone already
    }
    this.index.dropped(directory);
    const entry = decodeName(basename(directory));
    if (entry) this.index.removed(dirname(directory), entry);
    return true;
  }

  /** Removes a bucket's whole tree when it holds no object. @returns false when it holds one */
  async removeRoot(root: string): Promise<boolean> {
    return this.lock.run(TREE, async () => {
      if (!(await this.removeHollow(root))) return false;
      // A PUT into the root itself may have come between; rmdir decides.
      return this.removeEmpty(root);
    });
  }

  /** Removes directories without any object below; stops at the first object. */
  private async removeHollow(directory: string): Promise<boolean> {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (!entry.isDirectory()) return false;
      if (!(await this.removeHollow(path)) || !this.removeEmpty(path)) return false;
    }
    return true;
  }

  /** True when at least one object lies below; reads as little as possible. */
  async holdsObject(directory: string): Promise<boolean> {
    const entries = await this.index.entries(directory);
    if (entries.some((entry) => entry.kind === 'o')) return true;
    for (const entry of [...entries]) {
      if (await this.holdsObject(join(directory, entryName(entry)))) return true;
    }
    return false;
  }
}
