import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'events:list': { subject: 'Event', scope: 'orders:read', audited: 'response' },
});
