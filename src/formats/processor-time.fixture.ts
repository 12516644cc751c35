/**
 * Milliseconds of processor time that some work takes in this process: the bound of a hang, which does not depend on what
 * else the machine is doing.
 */
export async function processorTime(work: () => unknown): Promise<number> {
  const begun = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}
