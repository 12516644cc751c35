/**
 * What a module does with each pass of the reconciler: finds the rows that stand still because a job was lost or a
 * process died, and finishes them. The queue only makes that faster. Run in one process at a time; must be idempotent.
 */
export abstract class Chore {
  /** For the log. */
  abstract readonly name: string;
  /** Whether it must not wait for the bucket, which other steps of a pass ask. It needs the database alone. */
  readonly prompt: boolean = false;
  abstract run(): Promise<void>;
}
