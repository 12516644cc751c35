import { isTransient } from '../errors/translate-error.js';

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Group commit: work for one organization that arrives while a transaction of it is under way shares the next one. A
 * lone item waits for nobody. When a batch fails, its items are tried singly, so that one bad row spoils no other.
 */
export class GroupCommit<Item, Result> {
  private readonly queues = new Map<string, Waiting<Item, Result>[]>();

  /** @param commit runs one transaction and returns a result for each item, in order. */
  constructor(
    private readonly commit: (organizationId: string, items: Item[]) => Promise<Result[]>,
    private readonly maxBatch = 64,
  ) {}

  /** Resolves when the item's transaction is committed. */
  add(organizationId: string, item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const waiting = { item, resolve, reject };
      const queue = this.queues.get(organizationId);
      if (queue) return void queue.push(waiting);
      this.queues.set(organizationId, [waiting]);
      setImmediate(() => void this.drain(organizationId));
    });
  }

  private async drain(organizationId: string): Promise<void> {
    const queue = this.queues.get(organizationId)!;
    while (queue.length > 0) await this.run(organizationId, queue.splice(0, this.maxBatch));
    this.queues.delete(organizationId);
  }

  private async run(organizationId: string, batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.commit(
        organizationId,
        batch.map(({ item }) => item),
      );
      batch.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      // With the database away each of them would only wait for the same time-out again.
      if (batch.length === 1 || isTransient(error)) return batch.forEach(({ reject }) => reject(error));
      for (const single of batch) await this.run(organizationId, [single]);
    }
  }
}
