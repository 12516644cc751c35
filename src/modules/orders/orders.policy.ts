import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'orders:create': { subject: 'Order', scope: 'orders:write', audited: 'transaction', creates: true },
  'orders:close': { subject: 'Order', scope: 'orders:write', audited: 'transaction' },
  'orders:list': { subject: 'Order', scope: 'orders:read', audited: 'response' },
  'orders:read': { subject: 'Order', scope: 'orders:read', audited: 'response' },
});

defineSubject('Order', {
  rows: { model: 'order' },
  conditions: { createdById: 'principal' },
  within: { Order: (id) => ({ id }) },
});
