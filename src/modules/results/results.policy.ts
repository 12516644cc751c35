import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'results:deliver': { subject: 'Order', scope: 'results:write', audited: 'transaction' },
  /** The results of an order, or of the orders of a study. */
  'results:list': { subject: 'Order', scope: 'results:read', audited: 'response' },
  /** Which of them, and which of all orders. */
  'results:read': { subject: 'Result', scope: 'results:read', audited: 'response' },
  'results:acknowledge': { subject: 'Result', scope: 'results:read', audited: 'transaction' },
});

defineSubject('Result', {
  rows: { model: 'result' },
  conditions: { deliveredById: 'principal', order: { createdById: 'principal' } },
  within: { Order: (orderId) => ({ orderId }) },
});
