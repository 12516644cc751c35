import jsonwebtoken from 'jsonwebtoken';
import { startProduct, perSecond, rate, times } from './stack.mjs';
import { createApi } from '../../dist/api.js';
import { parseConfig } from '../../dist/platform/config/config.schema.js';
import { SigningKeysService } from '../../dist/modules/auth/signing-keys.service.js';
import { AuthenticationGuard } from '../../dist/modules/auth/http/authentication.guard.js';
import { OauthController } from '../../dist/modules/auth/http/oauth.controller.js';
import { asOperator } from '../../dist/operator.js';
import { roleUrl } from '../../dist/commands/migrate.command.js';

export default async function (row) {
  const product = await startProduct();
  const principal = await asOperator(
    roleUrl(product.adminUrl, 'scandock_worker', 'bench-worker'),
    async (organizations) => {
      const organizationId = await organizations.createOrganization('Token bench');
      return organizations.createClient({
        organizationId,
        name: 'bench',
        role: 'owner',
        scopes: ['exams:read'],
      });
    },
  );
  const credentials = Buffer.from(`${principal.clientId}:${principal.clientSecret}`).toString('base64');
  const response = await fetch(`${product.baseUrl}/auth/token`, {
    headers: { authorization: `Basic ${credentials}` },
  });
  const { access_token: token } = await response.json();

  const { app } = await createApi(parseConfig({ ...product.environment, PORT: '0', LOG_LEVEL: 'silent' }));
  const { publicKey } = await app.get(SigningKeysService, { strict: false }).current();
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const guard = app.select ? findGuard(app) : undefined;
  const request = { headers: { authorization: `Bearer ${token}` }, ip: '127.0.0.1', context: { info: {} } };
  const context = {
    switchToHttp: () => ({ getRequest: () => request, getResponse: () => ({}) }),
    getHandler: () => OauthController.prototype.inspect,
    getClass: () => OauthController,
  };
  const ours = await perSecond(() => guard.canActivate(context));
  const verifyPem = await perSecond(() => jsonwebtoken.verify(token, pem, { algorithms: ['ES256'] }));
  const verifyKey = await perSecond(() => jsonwebtoken.verify(token, publicKey, { algorithms: ['ES256'] }));
  const baseline = `verify with PEM ${rate(verifyPem)}, with KeyObject ${rate(verifyKey)}`;
  row({
    what: `token check (${(1e6 / ours).toFixed(1)} us each)`,
    figure: rate(ours),
    baseline,
    ratio: times(ours / verifyPem),
  });
  await app.close();
  await product.close();
}

function findGuard(app) {
  for (const module of app.container.getModules().values())
    for (const provider of module.providers.values())
      if (provider.instance instanceof AuthenticationGuard) return provider.instance;
  throw new Error('no AuthenticationGuard');
}
