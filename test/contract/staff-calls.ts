import { randomUUID } from 'node:crypto';
import { newId } from '../../src/platform/database/id.js';
import type { Answer, Client } from '../support/client.js';
import { CALLBACK, CLIENT_ID, type IdentityProvider } from '../support/identity-provider.js';
import { STAFF_AUTH, type StaffDoor } from '../support/staff.js';
import type { Calls } from './ingestion-calls.js';

const PROVIDERS = '/api/v1/admin/identity-providers';
const USERS = '/api/v1/admin/users';

/** Every audited route of staff's sign-in and what it is set up with; `METHOD path` as in the route table. */
export function staffCalls(doorOf: () => StaffDoor, ssoOf: () => IdentityProvider): Record<string, Calls> {
  const anybody = (path: string): Promise<Answer> => doorOf().post(`${STAFF_AUTH}/${path}`, {});
  const given = () => ({
    name: 'SSO',
    issuer: `https://${randomUUID()}.example`,
    client_id: CLIENT_ID,
    redirect_uris: [CALLBACK],
  });
  const provider = async (by: Client): Promise<string> => (await by.post(PROVIDERS, given())).body.id;
  const linked = async (by: Client): Promise<string> => {
    const path = `${USERS}/${await doorOf().newStaff()}/identities`;
    const link = { provider_id: await provider(by), subject: randomUUID() };
    return `${path}/${(await by.post(path, link)).body.id}`;
  };
  /** The one real provider of the organization. */
  const sso = async (by: Client): Promise<string> => {
    const { items } = (await by.get(`${PROVIDERS}?limit=100`)).body as {
      items: { id: string; issuer: string }[];
    };
    const known = items.find(({ issuer }) => issuer === ssoOf().issuer);
    if (known) return known.id;
    const secret = { issuer: ssoOf().issuer, client_secret: ssoOf().clientSecret };
    return (await by.post(PROVIDERS, { ...given(), ...secret })).body.id;
  };
  const visit = (body: { authorization_url: string }) => ssoOf().browse(body.authorization_url);
  return {
    [`POST ${STAFF_AUTH}/send-code`]: {
      success: async () => {
        const email = doorOf().newAddress();
        await doorOf().newStaff(email);
        return doorOf().sendCode(email);
      },
      failure: () => anybody('send-code'),
    },
    [`POST ${STAFF_AUTH}/verify-code`]: {
      success: async () => {
        const email = doorOf().newAddress();
        await doorOf().plantCode(email, await doorOf().newStaff(email));
        return doorOf().verify(email, await doorOf().codeOf(email));
      },
      failure: () => anybody('verify-code'),
    },
    [`POST ${STAFF_AUTH}/refresh`]: {
      success: async () => doorOf().refresh((await doorOf().signIn()).refreshToken),
      failure: () => anybody('refresh'),
    },
    [`POST ${STAFF_AUTH}/logout`]: {
      success: async () => doorOf().logout((await doorOf().signIn()).refreshToken),
      failure: () => anybody('logout'),
    },
    [`POST ${STAFF_AUTH}/oidc/start`]: {
      success: async (by) => doorOf().startOidc(await sso(by), CALLBACK),
      failure: () => anybody('oidc/start'),
    },
    [`POST ${STAFF_AUTH}/oidc/finish`]: {
      success: async (by) => {
        const provider_id = await sso(by);
        const subject = (ssoOf().account = randomUUID());
        await by.post(`${USERS}/${await doorOf().newStaff()}/identities`, { provider_id, subject });
        const { body } = await doorOf().startOidc(provider_id, CALLBACK);
        return doorOf().finishOidc(body.flow, await visit(body));
      },
      failure: () => anybody('oidc/finish'),
    },
    [`POST ${STAFF_AUTH}/oidc/link`]: {
      success: async (by) => (await doorOf().signIn('reader')).startLink(await sso(by), CALLBACK),
      failure: async () => (await doorOf().signIn('reader')).startLink(newId(), CALLBACK),
    },
    [`POST ${STAFF_AUTH}/oidc/link/finish`]: {
      success: async (by) => {
        ssoOf().account = randomUUID();
        const staff = await doorOf().signIn('reader');
        const { body } = await staff.startLink(await sso(by), CALLBACK);
        return staff.finishLink(body.flow, await visit(body));
      },
      failure: async () => (await doorOf().signIn('reader')).finishLink('x', CALLBACK),
    },
    [`POST ${PROVIDERS}`]: {
      success: (by) => by.post(PROVIDERS, given()),
      failure: (by) => by.post(PROVIDERS, {}),
    },
    [`GET ${PROVIDERS}`]: {
      success: (by) => by.get(PROVIDERS),
      failure: (by) => by.get(`${PROVIDERS}?limit=0`),
    },
    [`GET ${PROVIDERS}/:id`]: {
      success: async (by) => by.get(`${PROVIDERS}/${await provider(by)}`),
      failure: (by) => by.get(`${PROVIDERS}/${newId()}`),
    },
    [`PATCH ${PROVIDERS}/:id`]: {
      success: async (by) =>
        by.call('PATCH', `${PROVIDERS}/${await provider(by)}`, { name: 'Other' }, { 'if-match': '*' }),
      failure: (by) => by.call('PATCH', `${PROVIDERS}/${newId()}`, { name: 'Other' }, { 'if-match': '*' }),
    },
    [`POST ${PROVIDERS}/:id/disable`]: {
      success: async (by) => by.post(`${PROVIDERS}/${await provider(by)}/disable`),
      failure: (by) => by.post(`${PROVIDERS}/${newId()}/disable`),
    },
    [`POST ${PROVIDERS}/:id/enable`]: {
      success: async (by) => by.post(`${PROVIDERS}/${await provider(by)}/enable`),
      failure: (by) => by.post(`${PROVIDERS}/${newId()}/enable`),
    },
    [`GET ${USERS}/:id/identities`]: {
      success: async (by) => by.get(`${USERS}/${await doorOf().newStaff()}/identities`),
      failure: (by) => by.get(`${USERS}/${newId()}/identities`),
    },
    [`POST ${USERS}/:id/identities`]: {
      success: async (by) =>
        by.post(`${USERS}/${await doorOf().newStaff()}/identities`, {
          provider_id: await provider(by),
          subject: randomUUID(),
        }),
      failure: async (by) =>
        by.post(`${USERS}/${newId()}/identities`, { provider_id: await provider(by), subject: 'x' }),
    },
    [`DELETE ${USERS}/:id/identities/:identity_id`]: {
      success: async (by) => by.delete(await linked(by)),
      failure: async (by) => by.delete(`${USERS}/${await doorOf().newStaff()}/identities/${newId()}`),
    },
  };
}
