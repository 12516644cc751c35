import { join } from 'node:path';
import { lowerBound } from './directory-index.js';
import { type DirectoryEntry, entryName, fromBinary, prefixDirectory, toBinary } from './key-path.js';
import type { ObjectMetadata } from './object-file.js';
import type { ObjectStore } from './object-store.js';

export interface ListQuery {
  prefix: string;
  delimiter: string;
  /** Keys (and common prefixes) up to and including this one are left out. */
  after: string;
  maxKeys: number;
}

export interface ListPage {
  objects: ObjectMetadata[];
  prefixes: string[];
  truncated: boolean;
  /** The last key or common prefix of the page: `after` of the next one. */
  last: string | undefined;
}

/** Metadata reads between two turns of the event loop. */
const READS_PER_TURN = 64;

/**
 * One page of a bucket in the order of the keys' bytes. Only directories that can hold keys of the page are read: the
 * walk starts in the directory of the prefix, skips to `after` by binary search, and passes over each common prefix
 * without going through it.
 */
export async function listPage(store: ObjectStore, bucket: string, query: ListQuery): Promise<ListPage> {
  const walk = new Walk(store, toBinary(query.prefix), toBinary(query.delimiter), toBinary(query.after));
  const page: ListPage = { objects: [], prefixes: [], truncated: false, last: undefined };
  if (query.maxKeys === 0) return page;
  const start = prefixDirectory(walk.prefix);
  const root = join(store.layout.objects(bucket), start.path);
  let reads = 0;
  for await (const found of walk.entries(root, start.base)) {
    const name = fromBinary(found.name);
    const object = found.common ? undefined : store.head(bucket, name);
    if (!found.common && ++reads % READS_PER_TURN === 0)
      await new Promise((resolve) => setImmediate(resolve));
    if (!found.common && !object) continue; // removed meanwhile
    if (page.objects.length + page.prefixes.length === query.maxKeys) {
      page.truncated = true;
      break;
    }
    if (object) page.objects.push(object);
    else page.prefixes.push(name);
    page.last = name;
  }
  return page;
}

interface Found {
  /** Binary string. */
  name: string;
  common: boolean;
}

class Walk {
  constructor(
    private readonly store: ObjectStore,
    readonly prefix: string,
    private readonly delimiter: string,
    private readonly after: string,
  ) {}

  /** The common prefix a name falls into, when it reaches that far. */
  private commonOf(name: string): string | undefined {
    if (this.delimiter === '' || !name.startsWith(this.prefix)) return undefined;
    const at = name.indexOf(this.delimiter, this.prefix.length);
    return at < 0 ? undefined : name.slice(0, at + this.delimiter.length);
  }

  private skip = '';

  async *entries(directory: string, base: string): AsyncGenerator<Found> {
    // A copy from the first useful entry on: the index may change while the page is built.
    const all = await this.store.index.entries(directory);
    const entries = all.slice(this.firstUseful(all, base));
    for (const entry of entries) {
      const name = base + entry.part;
      if (this.skip !== '' && name.startsWith(this.skip)) continue;
      if (name > this.prefix && !name.startsWith(this.prefix)) return;
      if (entry.kind === 'o') yield* this.object(name);
      else yield* this.subtree(join(directory, entryName(entry)), name);
    }
  }

  private *object(name: string): Generator<Found> {
    if (name <= this.after || !name.startsWith(this.prefix)) return;
    const common = this.commonOf(name);
    if (common === undefined) yield { name, common: false };
    else yield* this.commonPrefix(common);
  }

  private *commonPrefix(common: string): Generator<Found> {
    this.skip = common;
    // One that does not lie behind `after` was on a former page (or before the asked start).
    if (common > this.after) yield { name: common, common: true };
  }

  private async *subtree(directory: string, base: string): AsyncGenerator<Found> {
    // Everything below starts with `base`.
    if (!base.startsWith(this.prefix) && !this.prefix.startsWith(base)) return;
    if (base <= this.after && !this.after.startsWith(base)) return;
    const common = this.commonOf(base);
    if (common !== undefined) {
      if (common <= this.after) this.skip = common;
      else if (await this.store.tree.holdsObject(directory)) yield* this.commonPrefix(common);
      return;
    }
    yield* this.entries(directory, base);
  }

  private firstUseful(entries: readonly DirectoryEntry[], base: string): number {
    const from = this.after > this.prefix ? this.after : this.prefix;
    if (!from.startsWith(base)) return from > base ? entries.length : 0;
    // One step back: the directory that `from` lies in sorts before it.
    return Math.max(0, lowerBound(entries, from.slice(base.length)) - 1);
  }
}
