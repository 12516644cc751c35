import type { Connection, PoolClient, Submittable } from 'pg';

/**
 * Takes the rows of `COPY (...) TO STDOUT (FORMAT binary)` as the bytes that Postgres sends: for what is passed on as it is,
 * making texts of it and collecting them again costs most of the time. https://www.postgresql.org/docs/18/sql-copy.html
 */
class CopyOut implements Submittable {
  private begun = false;

  constructor(
    private readonly statement: string,
    private readonly row: (fields: (Buffer | null)[]) => void,
    private readonly settle: (error?: Error) => void,
  ) {}

  submit(connection: Connection): void {
    connection.query(this.statement);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    const at = this.begun ? 0 : HEADER_BYTES; // the header comes with the first row
    this.begun = true;
    const fields = fieldsOf(chunk, at);
    if (fields) this.row(fields);
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

/** Undefined at the trailer. */
function fieldsOf(chunk: Buffer, from: number): (Buffer | null)[] | undefined {
  if (chunk.length === from) return undefined;
  const count = chunk.readInt16BE(from);
  if (count < 0) return undefined;
  const fields: (Buffer | null)[] = [];
  let at = from + 2;
  for (let field = 0; field < count; field++) {
    const length = chunk.readInt32BE(at);
    at += 4;
    fields.push(length < 0 ? null : chunk.subarray(at, (at += length)));
  }
  return fields;
}

/** @param query takes no parameters: write values into it by pg's escapeLiteral */
export function copyOut(
  client: PoolClient,
  query: string,
  row: (fields: (Buffer | null)[]) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const statement = `COPY (${query}) TO STDOUT (FORMAT binary)`;
    client.query(new CopyOut(statement, row, (error) => (error ? reject(error) : resolve())));
  });
}
