import { readdir } from 'node:fs/promises';
import { type DirectoryEntry, decodeName } from './key-path.js';

/** Entries held over all directories; about 100 bytes each. */
const MAX_ENTRIES = 400_000;

/** First position whose part is not below `part`. */
export function lowerBound(entries: readonly DirectoryEntry[], part: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.part < part) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Sorted directory contents, read on first use and kept up to date by this process (the only writer), so that paging
 * through a large directory does not read it once per page. Nothing is read at start. Least recently used ones go first.
 */
export class DirectoryIndex {
  private readonly known = new Map<string, DirectoryEntry[]>();
  private readonly loading = new Map<string, { changed: boolean; entries: Promise<DirectoryEntry[]> }>();
  private held = 0;

  constructor(private readonly limit = MAX_ENTRIES) {}

  /** The sorted entries of a directory, [] when it does not exist. Callers must not keep the array across an await. */
  async entries(directory: string): Promise<readonly DirectoryEntry[]> {
    const cached = this.known.get(directory);
    if (cached) {
      this.known.delete(directory);
      this.known.set(directory, cached);
      return cached;
    }
    const load = this.loading.get(directory);
    // A load that began before a change may lack it; only join one that is still exact.
    if (load && !load.changed) return load.entries;
    const mine: { changed: boolean; entries: Promise<DirectoryEntry[]> } = {
      changed: false,
      entries: readSorted(directory),
    };
    this.loading.set(directory, mine);
    try {
      const entries = await mine.entries;
      if (!mine.changed && entries.length > 0) this.keep(directory, entries);
      return entries;
    } finally {
      if (this.loading.get(directory) === mine) this.loading.delete(directory);
    }
  }

  private keep(directory: string, entries: DirectoryEntry[]): void {
    if (entries.length > this.limit) return;
    this.forget(directory);
    this.known.set(directory, entries);
    this.held += entries.length;
    for (const oldest of this.known.keys()) {
      if (this.held <= this.limit) break;
      this.forget(oldest);
    }
  }

  private forget(directory: string): void {
    this.held -= this.known.get(directory)?.length ?? 0;
    this.known.delete(directory);
  }

  /** To be told right after an entry appeared. */
  added(directory: string, entry: DirectoryEntry): void {
    this.touch(directory);
    const entries = this.known.get(directory);
    if (!entries) return;
    const at = lowerBound(entries, entry.part);
    if (entries[at]?.part === entry.part && entries[at]?.kind === entry.kind) return;
    entries.splice(at, 0, entry);
    this.held++;
  }

  /** To be told right after an entry was removed. */
  removed(directory: string, entry: DirectoryEntry): void {
    this.touch(directory);
    const entries = this.known.get(directory);
    if (!entries) return;
    const at = lowerBound(entries, entry.part);
    if (entries[at]?.part !== entry.part || entries[at]?.kind !== entry.kind) return;
    entries.splice(at, 1);
    this.held--;
  }

  /** To be told when a directory itself was removed or renamed away. */
  dropped(directory: string): void {
    this.touch(directory);
    this.forget(directory);
  }

  private touch(directory: string): void {
    const load = this.loading.get(directory);
    if (load) load.changed = true;
  }

  /** True when the directory is known to hold something; false when it is empty or not known. */
  knownOccupied(directory: string): boolean {
    return (this.known.get(directory)?.length ?? 0) > 0;
  }
}

async function readSorted(directory: string): Promise<DirectoryEntry[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
  return names
    .map(decodeName)
    .filter((entry) => entry !== undefined)
    .sort((a, b) => (a.part < b.part ? -1 : a.part > b.part ? 1 : 0));
}
