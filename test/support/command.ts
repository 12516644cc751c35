/**
 * Runs a command of ours in this process, where what it needs is loaded already: a process of its own takes seconds for that.
 * That the program as it is shipped knows the command, and what becomes of an error, is seen by the tests that start it.
 * Not two at once.
 * @param environment variables that it reads; an empty one counts as absent
 * @returns what it prints
 */
export async function commandHere(
  command: () => Promise<void>,
  args: readonly string[],
  environment: Record<string, string>,
): Promise<string> {
  const { argv, stdout } = process;
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  const write = stdout.write.bind(stdout);
  let printed = '';
  process.argv = ['node', 'scandock', 'command', ...args];
  Object.assign(process.env, environment);
  stdout.write = ((text: string | Uint8Array) => {
    printed += text.toString();
    return true;
  }) as typeof stdout.write;
  try {
    await command();
    return printed;
  } finally {
    stdout.write = write;
    process.argv = argv;
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
}
