import { startMailboxServer } from './mailbox-server.js';
import { MailboxStore } from './mailbox-store.js';
import { startSmtpReceiver } from './smtp-receiver.js';

export interface MailboxOptions {
  /** Where the messages are kept. */
  dir: string;
  /** 0 takes a free one, here and below. */
  smtpPort: number;
  httpPort: number;
}

/**
 * The mailbox of the embedded stack: an SMTP server that delivers nothing and a page that shows what it took. Sign-in
 * codes lie open there: it is not for production.
 */
export async function startMailbox({
  dir,
  smtpPort,
  httpPort,
}: MailboxOptions): Promise<{ smtpPort: number; httpPort: number; close(): Promise<void> }> {
  const store = MailboxStore.open(dir);
  const smtp = await startSmtpReceiver(store, smtpPort);
  const page = await startMailboxServer(store, httpPort);
  return {
    smtpPort: smtp.port,
    httpPort: page.port,
    close: async () => {
      await Promise.all([smtp.close(), page.close()]);
    },
  };
}
