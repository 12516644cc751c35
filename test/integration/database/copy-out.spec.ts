import { afterAll, describe, expect, it } from '@jest/globals';
import { Pool } from 'pg';
import { copyOut, fieldAt } from '../../../src/platform/database/copy-out.js';

const connection = { connectionString: process.env.TEST_ADMIN_URL!, max: 1 };
const pool = new Pool(connection);
afterAll(() => pool.end());

describe('COPY', () => {
  const copied = async (query: string): Promise<Buffer[]> => {
    const client = await pool.connect();
    const rows: Buffer[] = [];
    try {
      await copyOut(client, query, (row, at, end) => {
        expect(end).toBe(at + 4 + fieldAt(row, at).length);
        rows.push(Buffer.from(fieldAt(row, at)));
      });
    } finally {
      client.release();
    }
    return rows;
  };

  it('gives each row, of any length, and the connection back', async () => {
    const rows = await copied(
      `SELECT n || ':' || repeat('x', CASE WHEN n % 1000 = 0 THEN 300000 ELSE n % 700 END) FROM generate_series(1, 5000) n`,
    );
    expect(rows).toHaveLength(5_000);
    for (const [index, row] of rows.entries()) {
      const n = index + 1;
      const length = n % 1_000 === 0 ? 300_000 : n % 700;
      if (row.toString() !== `${n}:${'x'.repeat(length)}`) throw new Error(`row ${n} is another one`);
    }
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('of nothing gives nothing, and nulls are empty', async () => {
    expect(await copied('SELECT 1 WHERE false')).toEqual([]);
    expect(await copied('SELECT NULL::text')).toEqual([Buffer.alloc(0)]);
  });

  it.each([
    ['before the first row', 'SELECT nothing'],
    ['among the rows', 'SELECT 1 / (5000 - n) FROM generate_series(1, 10000) n'],
  ])('that fails %s says so, and the connection goes on', async (_, query) => {
    await expect(copied(query)).rejects.toMatchObject({ code: expect.stringMatching(/^(42703|22012)$/) });
    expect((await pool.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
    expect((await copied('SELECT n FROM generate_series(1, 3) n')).map((row) => row.readInt32BE(0))).toEqual([
      1, 2, 3,
    ]);
  });

  it('whose reader fails says so, and the connection goes on', async () => {
    const client = await pool.connect();
    let read = 0;
    const failing = copyOut(client, 'SELECT n FROM generate_series(1, 20000) n', () => {
      if (++read === 5_000) throw new RangeError('too deep');
    });
    await expect(failing).rejects.toThrow('too deep');
    expect(read).toBe(5_000);
    expect((await client.query('SELECT 4 AS four')).rows).toEqual([{ four: 4 }]);
    client.release();
  });

  it('that is ended by the server says so', async () => {
    const client = await pool.connect();
    client.on('error', () => undefined);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    let killed = false;
    const other = new Pool(connection);
    const copying = copyOut(client, "SELECT repeat('x', 1000) FROM generate_series(1, 3000000)", () => {
      if (!killed) void other.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
      killed = true;
    });
    await expect(copying).rejects.toThrow(/terminat/);
    client.release(true);
    await other.end();
    expect((await pool.query('SELECT 3 AS three')).rows).toEqual([{ three: 3 }]);
  });
});
