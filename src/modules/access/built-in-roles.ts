import type { RoleRule } from '../../platform/authorization/ability.js';

const everything: RoleRule = { operations: ['*'], subject: '*' };
const self: RoleRule = { operations: ['tokens:inspect', 'account:read'], subject: '*' };
const readExams: RoleRule = { operations: ['exams:list', 'exams:read'], subject: 'Exam' };
const fillExams: RoleRule = {
  operations: ['exams:create', 'exams:issue-urls', 'exams:confirm'],
  subject: 'Exam',
};

const readOrders: RoleRule[] = [
  { operations: ['orders:list', 'orders:read'], subject: 'Order' },
  { operations: ['uploads:read', 'uploads:download'], subject: 'Upload' },
  { operations: ['studies:list', 'studies:read'], subject: 'Study' },
  { operations: ['events:list'], subject: 'Event' },
];
const fillOrders: RoleRule[] = [
  { operations: ['orders:create', 'orders:close', 'metadata:write'], subject: 'Order' },
  { operations: ['uploads:issue', 'uploads:complete'], subject: 'Upload' },
];
const readResults: RoleRule[] = [
  { operations: ['results:list'], subject: 'Order' },
  { operations: ['results:read'], subject: 'Result' },
];
/** An uploading device sees what it made itself. */
const own = { createdById: '${principal.id}' };
const ownUploads = { principalId: '${principal.id}' };

/** Rules of the roles every organization has. They can be copied, not edited: `scandock migrate` brings rows up to date. */
export const BUILT_IN_ROLES: Record<string, RoleRule[]> = {
  owner: [everything],
  admin: [everything],
  coordinator: [
    self,
    readExams,
    fillExams,
    { operations: ['exams:delete', 'exams:share'], subject: 'Exam' },
    ...readOrders,
    ...fillOrders,
    { operations: ['uploads:replace'], subject: 'Upload' },
    ...readResults,
    { operations: ['results:deliver'], subject: 'Order' },
    { operations: ['results:acknowledge'], subject: 'Result' },
  ],
  uploader: [
    self,
    { operations: ['exams:create'], subject: 'Exam' },
    {
      operations: ['exams:list', 'exams:read', 'exams:issue-urls', 'exams:confirm'],
      subject: 'Exam',
      conditions: own,
    },
    { operations: ['orders:create'], subject: 'Order' },
    {
      operations: ['orders:list', 'orders:read', 'orders:close', 'metadata:write', 'results:list'],
      subject: 'Order',
      conditions: own,
    },
    { operations: ['results:read', 'results:acknowledge'], subject: 'Result', conditions: { order: own } },
    { operations: ['uploads:issue'], subject: 'Upload' },
    {
      operations: ['uploads:read', 'uploads:complete', 'uploads:download'],
      subject: 'Upload',
      conditions: ownUploads,
    },
  ],
  reader: [self, readExams, ...readOrders, ...readResults],
  auditor: [self],
  patient: [self],
};
