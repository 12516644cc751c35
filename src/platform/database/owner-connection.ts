import { SteadyClient } from './steady-client.js';

/**
 * Runs `work` as the owner of the tables, who cannot log in: an administrator becomes it. It may change what tables are, and is
 * bound by row-level security like everybody else.
 * @param adminUrl connection string of a member of `scandock_owner`, as `scandock migrate` makes of the role it is run by
 */
export async function asOwner<T>(adminUrl: string, work: (owner: SteadyClient) => Promise<T>): Promise<T> {
  const client = new SteadyClient({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('SET ROLE scandock_owner');
    return await work(client);
  } finally {
    await client.end();
  }
}
