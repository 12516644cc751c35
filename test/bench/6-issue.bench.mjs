import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { asOperator } from '../../dist/operator.js';
import { load } from './load.mjs';
import { rate, startProduct, times } from './stack.mjs';

/**
 * `GET /upload` end to end: token, ability, ledger row and audit event committed under row-level security, URL. Server,
 * Postgres and client share the machine, for ours as for the baselines.
 */
export default async function (row) {
  const product = await startProduct();
  const { organizationId, client } = await asOperator(product.workerUrl, async (organizations) => {
    const organizationId = await organizations.createOrganization('Issue bench');
    const made = { organizationId, name: 'bench', role: 'owner', scopes: ['uploads:write'] };
    return { organizationId, client: await organizations.createClient(made) };
  });
  const headers = { authorization: `Bearer ${await tokenOf(product.baseUrl, client)}` };
  const baselines = await startBaselines(product, organizationId);

  for (const parallel of [1, 16, 64]) {
    const measure = (url) => load({ url, headers, parallel });
    const signed = await measure(`${baselines.url}/signed`);
    const prisma = await measure(`${baselines.url}/prisma`);
    const ours = await measure(`${product.baseUrl}/upload`);
    row({
      what: `GET /upload, ${parallel} in parallel`,
      figure: speed(ours),
      baseline: `Prisma transaction + getSignedUrl ${speed(prisma)}; signed without a database ${speed(signed)}`,
      ratio: `${times(ours.rate / prisma.rate)} of the one, ${((100 * ours.rate) / signed.rate).toFixed(0)} % of the other`,
    });
  }
  baselines.stop();
  await product.close();
}

const speed = ({ rate: perSecond, p99 }) => `${rate(perSecond)}, p99 ${p99.toFixed(1)} ms`;

async function tokenOf(baseUrl, { clientId, clientSecret }) {
  const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  const response = await fetch(`${baseUrl}/auth/token`, {
    headers: { authorization: `Basic ${credentials}` },
  });
  return (await response.json()).access_token;
}

function startBaselines({ baseUrl, environment }, organizationId) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment, BENCH_ISSUER: baseUrl, BENCH_ORGANIZATION: organizationId };
    const child = fork(fileURLToPath(new URL('issue-baseline.mjs', import.meta.url)), { env });
    child.once('message', (url) => resolve({ url, stop: () => child.kill() }));
    child.once('exit', (code) => reject(new Error(`the baselines ended with ${code}`)));
  });
}
