/** Runs what shares a name one after the other. */
export class KeyedLock {
  private readonly tails = new Map<string, Promise<unknown>>();

  async run<T>(name: string, action: () => Promise<T> | T): Promise<T> {
    const before = this.tails.get(name);
    const mine = (async () => {
      if (before) await before.catch(() => undefined);
      return action();
    })();
    this.tails.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.tails.get(name) === mine) this.tails.delete(name);
    }
  }
}
