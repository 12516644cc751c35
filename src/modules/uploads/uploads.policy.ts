import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'uploads:issue': { subject: 'Upload', scope: 'uploads:write', audited: 'transaction', creates: true },
  'uploads:complete': { subject: 'Upload', scope: 'uploads:write', audited: 'transaction' },
  'uploads:read': { subject: 'Upload', scope: 'uploads:read', audited: 'response' },
  'uploads:download': { subject: 'Upload', scope: 'uploads:read', audited: 'transaction' },
  /** No route: whether an upload may replace what others uploaded to the same study (docs/adr/0012). */
  'uploads:replace': { subject: 'Upload', scope: 'studies:write', audited: 'never', unconditional: true },
  'uploads:notify': { subject: 'Upload', audited: 'transaction' },
});

defineSubject('Upload', {
  rows: { model: 'upload' },
  conditions: { principalId: 'principal', order: { createdById: 'principal' } },
  within: { Order: (orderId) => ({ orderId }), Exam: (examId) => ({ slot: { is: { examId } } }) },
});
