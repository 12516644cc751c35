import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'inspect:presign': { subject: 'InspectFile', scope: 'files:write', audited: 'transaction', creates: true },
  /** Also decides who gets another URL for a file that is there already. */
  'inspect:complete': { subject: 'InspectFile', scope: 'files:write', audited: 'transaction' },
  /** Also decides onto whose files a declaration of the same content may resolve. */
  'inspect:read': { subject: 'InspectFile', scope: 'files:read', audited: 'response' },
  'inspect:download': { subject: 'InspectFile', scope: 'files:read', audited: 'transaction' },
});

defineSubject('InspectFile', { rows: { model: 'inspectFile' }, conditions: { createdById: 'principal' } });
