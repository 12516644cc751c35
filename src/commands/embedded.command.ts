import path from 'node:path';
import { z } from 'zod';
import { startMailbox } from '../platform/embedded/mailbox/mailbox.js';
import { type EmbeddedPostgres, startPostgres } from '../platform/embedded/postgres.js';
import { startS3Server } from '../platform/embedded/s3/s3-server.js';
import { closeOnSignals, reportReady } from './lifecycle.js';

/** What the launcher tells its child that runs the embedded parts; by message, so that no secret is in an environment. */
export const embeddedPartsSchema = z.object({
  dataDir: z.string(),
  postgres: z.object({ port: z.int(), password: z.string() }).optional(),
  s3: z.object({ port: z.int(), accessKeyId: z.string(), secretAccessKey: z.string() }).optional(),
  mailbox: z.object({ smtpPort: z.int(), httpPort: z.int() }).optional(),
});
export type EmbeddedParts = z.infer<typeof embeddedPartsSchema>;

/** `scandock embedded`: Postgres, S3 and mailbox for the launcher; they end with it, Postgres last. */
export function embedded(): Promise<void> {
  if (!process.channel) throw new Error('The embedded parts are started by `scandock start`.');
  let s3: { close(): Promise<void> } | undefined;
  let mailbox: { close(): Promise<void> } | undefined;
  let postgres: EmbeddedPostgres | undefined;
  closeOnSignals(async () => {
    await mailbox?.close();
    await s3?.close();
    await postgres?.stop();
  });
  return new Promise((resolve, reject) => {
    process.once('message', (message) => {
      begin(embeddedPartsSchema.parse(message)).then(resolve, reject);
    });
  });

  async function begin(parts: EmbeddedParts): Promise<void> {
    if (parts.postgres)
      postgres = await startPostgres({
        ...parts.postgres,
        dir: path.join(parts.dataDir, 'postgres'),
        onExit: () => process.exit(1),
      });
    if (parts.s3) {
      const { port, ...credentials } = parts.s3;
      s3 = await startS3Server({ dataDir: path.join(parts.dataDir, 's3'), port, credentials: [credentials] });
    }
    if (parts.mailbox) {
      // Sign-in codes lie open in it.
      if (process.env.NODE_ENV === 'production') throw new Error('There is no local mailbox in production.');
      mailbox = await startMailbox({ ...parts.mailbox, dir: path.join(parts.dataDir, 'mailbox') });
    }
    reportReady();
  }
}
