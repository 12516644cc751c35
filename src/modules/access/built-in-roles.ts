import type { RoleRule } from '../../platform/authorization/ability.js';

const everything: RoleRule = { operations: ['*'], subject: '*' };
const self: RoleRule = { operations: ['tokens:inspect', 'account:read'], subject: '*' };
const readExams: RoleRule = { operations: ['exams:list', 'exams:read'], subject: 'Exam' };
const fillExams: RoleRule = {
  operations: ['exams:create', 'exams:issue-urls', 'exams:confirm'],
  subject: 'Exam',
};

/** Rules of the roles every organization has. They can be copied, not edited: `scandock migrate` brings rows up to date. */
export const BUILT_IN_ROLES: Record<string, RoleRule[]> = {
  owner: [everything],
  admin: [everything],
  coordinator: [self, readExams, fillExams, { operations: ['exams:delete', 'exams:share'], subject: 'Exam' }],
  uploader: [
    self,
    { operations: ['exams:create'], subject: 'Exam' },
    // An uploading device sees what it made itself.
    {
      operations: ['exams:list', 'exams:read', 'exams:issue-urls', 'exams:confirm'],
      subject: 'Exam',
      conditions: { createdById: '${principal.id}' },
    },
  ],
  reader: [self, readExams],
  auditor: [self],
  patient: [self],
};
