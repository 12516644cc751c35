import type { Socket } from 'node:net';
import type { Connection, PoolClient, Submittable } from 'pg';
import { BODY_AT, Messages } from './messages.js';

/**
 * Is given a row: from `at` up to `end` there is of each field its length, or -1 when it is null, as four bytes, and the field
 * itself. Each in an array of its own would cost more than what is made of them.
 */
export type RowReader = (bytes: Buffer, at: number, end: number) => void;

/** Codes of messages: a row, and the end of a query, after an error too. */
const [COPY_DATA, READY_FOR_QUERY] = [0x64, 0x5a];
/** Signature, flags, and the length of an extension that there is not. */
const HEADER_BYTES = 11 + 4 + 4;
/** Of fields, before each row. */
const COUNT_BYTES = 2;

/**
 * Takes the rows of `COPY (...) TO STDOUT (FORMAT binary)` as the bytes that Postgres sends: for what is passed on as it is,
 * making texts of it and collecting them again costs most of the time. https://www.postgresql.org/docs/18/sql-copy.html
 */
class CopyOut implements Submittable {
  private begun = false;
  /** What a row could not be read for. The others are not read. */
  private failure: Error | undefined;

  constructor(
    private readonly statement: string,
    private readonly row: RowReader,
    private readonly settle: (error?: Error) => void,
  ) {}

  /** Rows are taken as they come by, and pg is given all else: an object of its own for each of them is half of the work. */
  submit(connection: Connection): void {
    const { stream } = connection as Connection & { stream: Socket };
    const [pg] = stream.listeners('data') as [(bytes: Buffer) => void];
    const messages = new Messages((bytes, at, end) => {
      if (bytes[at] === COPY_DATA) {
        this.take(bytes, at + BODY_AT, end);
        return true;
      }
      const isReady = bytes[at] === READY_FOR_QUERY;
      if (isReady) stream.off('data', onData).on('data', pg);
      pg(Buffer.from(bytes.subarray(at, end)));
      return !isReady;
    });
    const onData = (chunk: Buffer): void => {
      const taken = messages.push(chunk);
      if (taken < chunk.length) pg(Buffer.from(chunk.subarray(taken))); // came with the end of the query
    };
    stream.off('data', pg).on('data', onData);
    connection.query(this.statement);
  }

  private take(bytes: Buffer, at: number, end: number): void {
    const fields = at + COUNT_BYTES + (this.begun ? 0 : HEADER_BYTES); // the header comes with the first row
    this.begun = true;
    if (end <= fields || this.failure) return; // the trailer is a count that is none
    try {
      this.row(bytes, fields, end);
    } catch (error) {
      this.failure = error as Error; // thrown here it would end the process
    }
  }

  handleError(error: Error): void {
    this.settle(error);
  }

  handleReadyForQuery(): void {
    this.settle(this.failure);
  }

  handleCommandComplete(): void {}
}

/** Of the length of a field. */
const WORD = 4;

/** A field of a row; empty when it is null. @param at of its length */
export const fieldAt = (row: Buffer, at: number): Buffer =>
  row.subarray(at + WORD, at + WORD + Math.max(row.readInt32BE(at), 0));

/** @param query takes no parameters: write values into it by pg's escapeLiteral */
export function copyOut(client: PoolClient, query: string, row: RowReader): Promise<void> {
  return new Promise((resolve, reject) => {
    const statement = `COPY (${query}) TO STDOUT (FORMAT binary)`;
    client.query(new CopyOut(statement, row, (error) => (error ? reject(error) : resolve())));
  });
}
