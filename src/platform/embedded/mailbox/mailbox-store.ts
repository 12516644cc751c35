import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { newId } from '../../database/id.js';

const CAPACITY = 100;
const FILE = /^[0-9a-f-]{36}\.json$/;

const messageSchema = z.object({
  id: z.string(),
  from: z.string(),
  /** The recipients of the envelope. */
  to: z.string(),
  subject: z.string(),
  text: z.string(),
  received_at: z.iso.datetime(),
});
export type MailboxMessage = z.infer<typeof messageSchema>;

/** The newest hundred messages, each a file that nobody else may read. One process per folder. */
export class MailboxStore {
  private constructor(
    private readonly dir: string,
    private newestFirst: MailboxMessage[],
  ) {}

  static open(dir: string): MailboxStore {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const messages: MailboxMessage[] = [];
    for (const name of readdirSync(dir).sort().reverse()) {
      const file = path.join(dir, name);
      if (name.endsWith('.new')) rmSync(file); // of a write that a crash ended
      if (FILE.test(name)) messages.push(messageSchema.parse(JSON.parse(readFileSync(file, 'utf8'))));
    }
    return new MailboxStore(dir, messages);
  }

  list(): readonly MailboxMessage[] {
    return this.newestFirst;
  }

  /** Kept when it resolves; what is beyond the hundredth is gone then. */
  async add(received: Omit<MailboxMessage, 'id' | 'received_at'>): Promise<void> {
    const message = { ...received, id: newId(), received_at: new Date().toISOString() };
    const file = this.fileOf(message);
    await writeFile(`${file}.new`, `${JSON.stringify(message, null, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
    const all = [message, ...this.newestFirst].sort((one, other) => (one.id < other.id ? 1 : -1));
    this.newestFirst = all.slice(0, CAPACITY);
    for (const old of all.slice(CAPACITY)) await rm(this.fileOf(old), { force: true });
  }

  private fileOf({ id }: MailboxMessage): string {
    return path.join(this.dir, `${id}.json`);
  }
}
