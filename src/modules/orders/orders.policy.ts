import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'orders:create': { subject: 'Order', scope: 'orders:write', audited: 'transaction' },
  'orders:close': { subject: 'Order', scope: 'orders:write', audited: 'transaction' },
  'orders:list': { subject: 'Order', scope: 'orders:read', audited: 'response' },
  'orders:read': { subject: 'Order', scope: 'orders:read', audited: 'response' },
});
