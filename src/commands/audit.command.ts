import { RETIRE_USAGE } from './audit-retire.usage.js';
import { auditVerify, VERIFY_USAGE } from './audit-verify.command.js';

/** What a ledger's owner or auditor does by hand. Each takes what stands behind its name, and sets the exit code. */
const SUBCOMMANDS: Record<string, { usage: string; run: (args: string[]) => Promise<void> }> = {
  retire: {
    usage: RETIRE_USAGE,
    run: async (args) => (await import('./audit-retire.command.js')).auditRetire(args),
  },
  verify: { usage: VERIFY_USAGE, run: auditVerify },
};

/** `scandock audit <subcommand>` */
export async function audit(): Promise<void> {
  const [name = '', ...args] = process.argv.slice(3);
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand) return subcommand.run(args);
  const usages = Object.values(SUBCOMMANDS).map(({ usage }) => usage);
  process.stderr.write(`${usages.join('\n')}\n`);
  process.exitCode = 2;
}
