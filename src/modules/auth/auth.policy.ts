import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'tokens:issue': { subject: 'Token', audited: 'transaction' },
  'tokens:inspect': { subject: 'Token', audited: 'response' },
  'tokens:metadata': { subject: 'Token', audited: 'never' },
});
