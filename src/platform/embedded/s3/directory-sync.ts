import { closeSync, fsync as fsyncCallback, openSync } from 'node:fs';
import { promisify } from 'node:util';

const fsync = promisify(fsyncCallback);

/**
 * Makes renames and links durable by syncing their directory. Calls that arrive while a sync of the same directory runs
 * share the next one (group commit): a caller only needs a sync that began after its own rename, so eight parallel PUTs
 * into one directory cost two syncs, not eight.
 */
export class DirectorySync {
  private readonly running = new Map<string, Promise<void>>();
  private readonly next = new Map<string, Promise<void>>();

  constructor(private readonly enabled: boolean) {}

  /** Resolves when everything that was done in the directory before the call is on the disk. */
  sync(directory: string): Promise<void> {
    if (!this.enabled) return Promise.resolve();
    const waiting = this.next.get(directory);
    if (waiting) return waiting;
    const current = this.running.get(directory);
    if (!current) return this.start(directory);
    const follower = current
      .catch(() => undefined)
      .then(() => {
        this.next.delete(directory);
        return this.start(directory);
      });
    this.next.set(directory, follower);
    return follower;
  }

  private start(directory: string): Promise<void> {
    const run = syncDirectory(directory).finally(() => {
      if (this.running.get(directory) === run) this.running.delete(directory);
    });
    this.running.set(directory, run);
    return run;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open directories; NTFS journals its own metadata.
  if (process.platform === 'win32') return;
  try {
    const fd = openSync(directory, 'r');
    try {
      await fsync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // The directory was emptied and removed meanwhile: there is nothing left to make durable in it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
