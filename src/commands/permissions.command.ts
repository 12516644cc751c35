import { permissionsPage } from '../modules/access/permission-matrix.js';
import { apiWithoutServers } from './api-without-servers.js';

/** `scandock permissions`: docs/permissions.md as the code has it, without any server. */
export async function permissions(): Promise<void> {
  const { routes } = await apiWithoutServers();
  await new Promise((resolve) => process.stdout.write(permissionsPage(routes), resolve));
  process.exit(0);
}
