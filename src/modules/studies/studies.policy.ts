import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'studies:list': { subject: 'Study', scope: 'studies:read', audited: 'response' },
  'studies:read': { subject: 'Study', scope: 'studies:read', audited: 'response' },
});

defineSubject('Study', {
  rows: { model: 'study', key: 'studyInstanceUid' },
  conditions: { createdById: 'principal' },
  within: { Order: (orderId) => ({ orders: { some: { orderId } } }) },
});
