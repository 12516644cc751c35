/** Longest a process may take to finish or hand back what is under way, in milliseconds. */
const SHUTDOWN_LIMIT_MS = 30_000;

/**
 * Closes on SIGTERM and SIGINT, and when the launcher that forked us is gone. What does not end in time is ended: the
 * ledger is made for that.
 */
export function closeOnSignals(close: () => Promise<void>): void {
  let closing = false;
  const stop = () => {
    if (closing) return;
    closing = true;
    setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MS).unref();
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.channel) process.on('disconnect', stop);
}

/** Tells the launcher, if there is one, that this process serves. */
export function reportReady(facts: object = {}): void {
  process.send?.({ ready: true, ...facts });
}
