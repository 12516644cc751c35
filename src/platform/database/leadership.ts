import { Client } from 'pg';

const QUERY_LIMIT_MS = 5_000;

/** Keeps one process the only one to do a thing: a session-level advisory lock, which ends with its connection. */
export class Leadership {
  private client: Client | undefined;
  private asking: Promise<boolean> | undefined;

  /**
   * @param url must reach Postgres itself: a pooler in transaction mode would give the lock to another session.
   * @param name of the thing; one lock each.
   */
  constructor(
    private readonly url: string,
    private readonly name: string,
  ) {}

  /** Whether this process leads now; tries to become it. Throws when the database cannot be reached. */
  held(): Promise<boolean> {
    // Two who ask at once must not compete for it.
    return (this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    }));
  }

  private async ask(): Promise<boolean> {
    if (this.client && (await this.isAlive(this.client))) return true;
    const client = new Client({
      connectionString: this.url,
      connectionTimeoutMillis: 5_000,
      query_timeout: QUERY_LIMIT_MS,
      keepAlive: true,
    });
    const lost = () => {
      if (this.client === client) this.client = undefined;
    };
    client.on('error', lost);
    client.on('end', lost);
    try {
      return await this.claim(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  private async claim(client: Client): Promise<boolean> {
    await client.connect();
    const { rows } = await client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held',
      [this.name],
    );
    if (rows[0]?.held) this.client = client;
    else await client.end();
    return rows[0]?.held ?? false;
  }

  async resign(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.end();
  }

  /** A connection that a balancer dropped without a word would make two leaders: ask, and wait only so long. */
  private async isAlive(client: Client): Promise<boolean> {
    try {
      await client.query('SELECT 1');
      return this.client === client;
    } catch {
      this.client = undefined;
      client.end().catch(() => undefined);
      return false;
    }
  }
}
