import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'exams:create': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:list': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
  'exams:read': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
  'exams:issue-urls': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:confirm': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:delete': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:share': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'account:read': { subject: 'Organization', audited: 'response' },
});
