/** Does something to each, so many at a time. Throws what the first one threw, when all have come to an end. */
export async function atOnce<T>(all: readonly T[], work: (one: T) => Promise<void>, most = 8): Promise<void> {
  const waiting = all.values();
  const worker = async () => {
    for (const one of waiting) await work(one);
  };
  const ends = await Promise.allSettled(Array.from({ length: most }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
