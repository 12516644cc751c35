import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'metadata:write': { subject: 'Order', scope: 'metadata:write', audited: 'transaction' },
});
