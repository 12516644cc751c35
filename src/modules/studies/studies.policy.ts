import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'studies:list': { subject: 'Study', scope: 'studies:read', audited: 'response' },
  'studies:read': { subject: 'Study', scope: 'studies:read', audited: 'response' },
});
