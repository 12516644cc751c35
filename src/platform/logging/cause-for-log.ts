/**
 * What of an error may be written to the log: names, codes and the places in our code. Messages of drivers are left
 * out, because they quote values (a duplicate key, a bad parameter), which may be a patient's.
 */
export function causeForLog(error: unknown): unknown {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) {
    const { code } = at as { code?: unknown };
    chain.push({
      name: at.name,
      ...(typeof code === 'string' && { code }),
      stack: (at.stack ?? '')
        .split('\n')
        .filter((line) => line.trimStart().startsWith('at '))
        .slice(0, 8)
        .map((line) => line.trim()),
    });
  }
  return chain;
}
