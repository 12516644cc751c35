import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'tokens:issue': { subject: 'Token', audited: 'transaction' },
  'tokens:inspect': { subject: 'Token', audited: 'response' },
  'tokens:introspect': { subject: 'Token', audited: 'transaction' },
  'tokens:revoke': { subject: 'Token', audited: 'transaction' },
  'tokens:metadata': { subject: 'Token', audited: 'never' },
  'sign-in:send-code': { subject: 'Session', audited: 'transaction' },
  'sign-in:verify-code': { subject: 'Session', audited: 'transaction' },
  'sign-in:start-oidc': { subject: 'Session', audited: 'response' },
  'sign-in:finish-oidc': { subject: 'Session', audited: 'transaction' },
  /** Staff who are signed in, for themselves: no scope, since it gives them nothing they do not have. */
  'sign-in:start-link': { subject: 'Session', audited: 'response' },
  'sign-in:link-identity': { subject: 'Session', audited: 'transaction' },
  'sessions:refresh': { subject: 'Session', audited: 'transaction' },
  'sessions:end': { subject: 'Session', audited: 'transaction' },
});
