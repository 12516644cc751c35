import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'exams:create': { subject: 'Exam', scope: 'exams:write', audited: 'transaction', creates: true },
  'exams:list': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
  'exams:read': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
  'exams:issue-urls': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:confirm': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:delete': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'exams:share': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'account:read': { subject: 'Organization', audited: 'response' },
});

defineSubject('Exam', {
  rows: { model: 'exam', live: { deletedAt: null } },
  conditions: { createdById: 'principal' },
  within: { Exam: (id) => ({ id }) },
});
