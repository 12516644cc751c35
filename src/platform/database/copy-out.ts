import type { Connection, PoolClient, Submittable } from 'pg';

/**
 * Is given a row: from `at` on there is of each field its length, or -1 when it is null, as four bytes, and the field itself.
 * Each in an array of its own would cost more than what is made of them.
 */
export type RowReader = (bytes: Buffer, at: number) => void;

/**
 * Takes the rows of `COPY (...) TO STDOUT (FORMAT binary)` as the bytes that Postgres sends: for what is passed on as it is,
 * making texts of it and collecting them again costs most of the time. https://www.postgresql.org/docs/18/sql-copy.html
 */
class CopyOut implements Submittable {
  private begun = false;

  constructor(
    private readonly statement: string,
    private readonly row: RowReader,
    private readonly settle: (error?: Error) => void,
  ) {}

  submit(connection: Connection): void {
    connection.query(this.statement);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    const at = this.begun ? 0 : HEADER_BYTES; // the header comes with the first row
    this.begun = true;
    const fields = at + COUNT_BYTES;
    if (chunk.length > fields) this.row(chunk, fields); // the trailer is a count that is none
  }

  handleError(error: Error): void {
    this.settle(error);
  }

  handleReadyForQuery(): void {
    this.settle();
  }

  handleCommandComplete(): void {}
}

/** Signature, flags, and the length of an extension that there is not. */
const HEADER_BYTES = 11 + 4 + 4;
/** Of fields, before each row. */
const COUNT_BYTES = 2;

/** @param query takes no parameters: write values into it by pg's escapeLiteral */
export function copyOut(client: PoolClient, query: string, row: RowReader): Promise<void> {
  return new Promise((resolve, reject) => {
    const statement = `COPY (${query}) TO STDOUT (FORMAT binary)`;
    client.query(new CopyOut(statement, row, (error) => (error ? reject(error) : resolve())));
  });
}
