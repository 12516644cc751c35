import { defineOperations } from '../authorization/operations.js';

defineOperations({
  'system:health': { subject: 'System', audited: 'never' },
  'system:metrics': { subject: 'System', audited: 'never' },
  'system:documentation': { subject: 'System', audited: 'never' },
});
