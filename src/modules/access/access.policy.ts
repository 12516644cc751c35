import { defineOperations, type Operation } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

/** Who may do what is managed under one scope; which part of it, roles say. */
const read: Pick<Operation, 'scope' | 'audited'> = { scope: 'access:manage', audited: 'response' };
const write: Pick<Operation, 'scope' | 'audited'> = { scope: 'access:manage', audited: 'transaction' };

defineOperations({
  'users:list': { subject: 'User', ...read },
  'users:read': { subject: 'User', ...read },
  'users:invite': { subject: 'User', ...write, creates: true },
  'users:update': { subject: 'User', ...write },
  'users:disable': { subject: 'User', ...write },
  'users:enable': { subject: 'User', ...write },
  'users:link-identity': { subject: 'User', ...write },
  'users:unlink-identity': { subject: 'User', ...write },

  'groups:list': { subject: 'Group', ...read },
  'groups:read': { subject: 'Group', ...read },
  'groups:create': { subject: 'Group', ...write, creates: true },
  'groups:update': { subject: 'Group', ...write },
  'groups:delete': { subject: 'Group', ...write },
  'groups:list-members': { subject: 'Group', ...read },
  'groups:add-member': { subject: 'Group', ...write },
  'groups:remove-member': { subject: 'Group', ...write },

  'roles:list': { subject: 'Role', ...read },
  'roles:read': { subject: 'Role', ...read },
  'roles:create': { subject: 'Role', ...write, creates: true },
  'roles:update': { subject: 'Role', ...write },
  'roles:delete': { subject: 'Role', ...write },

  'bindings:list': { subject: 'RoleBinding', ...read },
  'bindings:read': { subject: 'RoleBinding', ...read },
  'bindings:create': { subject: 'RoleBinding', ...write, creates: true },
  'bindings:delete': { subject: 'RoleBinding', ...write },

  'clients:list': { subject: 'OauthClient', ...read },
  'clients:read': { subject: 'OauthClient', ...read },
  'clients:create': { subject: 'OauthClient', ...write, creates: true },
  'clients:update': { subject: 'OauthClient', ...write },
  'clients:disable': { subject: 'OauthClient', ...write },
  'clients:enable': { subject: 'OauthClient', ...write },
  'clients:create-secret': { subject: 'OauthClient', ...write },
  'clients:revoke-secret': { subject: 'OauthClient', ...write },

  'api-keys:list': { subject: 'ApiKey', ...read },
  'api-keys:read': { subject: 'ApiKey', ...read },
  'api-keys:create': { subject: 'ApiKey', ...write, creates: true },
  'api-keys:update': { subject: 'ApiKey', ...write },
  'api-keys:rotate': { subject: 'ApiKey', ...write },
  'api-keys:retire-previous': { subject: 'ApiKey', ...write },
  'api-keys:revoke': { subject: 'ApiKey', ...write },

  'sessions:list': { subject: 'Session', ...read },
  'sessions:revoke': { subject: 'Session', ...write },

  'identity-providers:list': { subject: 'IdentityProvider', ...read },
  'identity-providers:read': { subject: 'IdentityProvider', ...read },
  'identity-providers:create': { subject: 'IdentityProvider', ...write, creates: true },
  'identity-providers:update': { subject: 'IdentityProvider', ...write },
  'identity-providers:disable': { subject: 'IdentityProvider', ...write },
  'identity-providers:enable': { subject: 'IdentityProvider', ...write },

  /** Which operations, subjects, conditions and built-in roles there are. */
  'access:catalogue': { subject: 'Access', ...read },
  /** All that a principal may do, and by which binding. */
  'access:rights': { subject: 'Access', ...read },
  /** Whether a principal may do one thing, and why. */
  'access:explain': { subject: 'Access', ...read },

  'organizations:read': { subject: 'Organization', ...read },
  'organizations:update': { subject: 'Organization', ...write },
  'organizations:list': { subject: 'Organization', ...read, platform: true },
  'organizations:create': { subject: 'Organization', ...write, creates: true, platform: true },
  'organizations:disable': { subject: 'Organization', ...write, platform: true },
  'organizations:enable': { subject: 'Organization', ...write, platform: true },
  'organizations:request-deletion': { subject: 'Organization', ...write, platform: true },
  'organizations:cancel-deletion': { subject: 'Organization', ...write, platform: true },
  'organizations:read-deletion': { subject: 'Organization', ...read, platform: true },
  'organizations:purge': { subject: 'Organization', ...write, platform: true },
});

defineSubject('User', { conditions: { isStaff: 'boolean' }, rows: { model: 'user' } });
defineSubject('Group', { rows: { model: 'group' } });
defineSubject('Role', { rows: { model: 'role' } });
defineSubject('RoleBinding', { rows: { model: 'roleBinding' } });
defineSubject('OauthClient', { rows: { model: 'oauthClient' } });
defineSubject('ApiKey', { rows: { model: 'apiKey' } });
defineSubject('Session', { rows: { model: 'userSession' } });
defineSubject('IdentityProvider', { rows: { model: 'identityProvider' } });
defineSubject('Organization', { rows: { model: 'organization', tenant: 'id' } });
