import type { RoleRule } from '../../platform/authorization/ability.js';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';

const everything: RoleRule = { operations: ['*'], subject: '*' };
const self: RoleRule = { operations: ['tokens:inspect', 'account:read'], subject: '*' };
/** Staff, for themselves. A role that is not built in needs it, too, if those who have it shall link their accounts. */
const ownIdentities: RoleRule = {
  operations: ['sign-in:start-link', 'sign-in:link-identity'],
  subject: 'Session',
};
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
/** Clinical files by presigned URL (inspect), and patients' cases with what hangs on them. */
const readClinical: RoleRule[] = [
  { operations: ['inspect:read', 'inspect:download'], subject: 'InspectFile' },
  { operations: ['cases:list', 'cases:read'], subject: 'PatientCase' },
  {
    operations: ['attachments:list', 'documents:list', 'case-files:read', 'case-files:download'],
    subject: 'PatientFile',
  },
];
const fillClinical: RoleRule[] = [
  { operations: ['inspect:presign', 'inspect:complete'], subject: 'InspectFile' },
  { operations: ['cases:create', 'cases:close'], subject: 'PatientCase' },
  { operations: ['attachments:create', 'case-files:classify'], subject: 'PatientFile' },
];
/** Who may do what, to look at. */
const readAccess: RoleRule[] = [
  /** Of staff: what patients are called is no auditor's business. */
  { operations: ['users:list', 'users:read'], subject: 'User', conditions: { isStaff: true } },
  { operations: ['groups:list', 'groups:read', 'groups:list-members'], subject: 'Group' },
  { operations: ['roles:list', 'roles:read'], subject: 'Role' },
  { operations: ['bindings:list', 'bindings:read'], subject: 'RoleBinding' },
  { operations: ['clients:list', 'clients:read'], subject: 'OauthClient' },
  { operations: ['api-keys:list', 'api-keys:read'], subject: 'ApiKey' },
  { operations: ['sessions:list'], subject: 'Session' },
  { operations: ['identity-providers:list', 'identity-providers:read'], subject: 'IdentityProvider' },
  { operations: ['access:catalogue', 'access:rights', 'access:explain'], subject: 'Access' },
  { operations: ['organizations:read'], subject: 'Organization' },
];
/** What access is managed by. */
const ACCESS = [
  'User',
  'Group',
  'Role',
  'RoleBinding',
  'OauthClient',
  'ApiKey',
  'Session',
  'IdentityProvider',
  'Access',
];
/** That, and what an organization works with: all there is of them, and more as they get more. */
const ADMINISTERED = [
  'Exam',
  'Upload',
  'Order',
  'Study',
  'Result',
  'Event',
  'InspectFile',
  'PatientCase',
  'PatientFile',
  ...ACCESS,
];
/** The ledger, which nobody can change: all there is of it, and more as it gets more. */
const AUDITED = ['AuditEvent', 'AuditSeal', 'AuditExport'];
const allOf = (subject: string): RoleRule => ({ operations: ['*'], subject });

/** A patient sees what is theirs unless staff restricts it, and changes what they brought themselves. */
const ofPatient = { patientId: '${principal.id}', isRestricted: false };

/** An uploading device sees what it made itself. */
const own = { createdById: '${principal.id}' };
const ownUploads = { principalId: '${principal.id}' };

/** The role of whoever runs the deployment; only the platform's own organization has it. */
export const PLATFORM_OWNER_ROLE = 'platform-owner';

/** Without anybody who has one of these an organization could not be managed any more. */
export const OWNER_ROLES = ['owner', PLATFORM_OWNER_ROLE];

/** Rules of the roles every organization has. They can be copied, not edited: `scandock migrate` brings rows up to date. */
export const BUILT_IN_ROLES: Record<string, RoleRule[]> = {
  owner: [everything],
  /** All but the owner's `*`, which an admin can therefore give to nobody. */
  admin: [
    self,
    { operations: ['organizations:read', 'organizations:update'], subject: 'Organization' },
    ...ADMINISTERED.map(allOf),
    ...[...AUDITED, 'AuditHold'].map(allOf),
  ],
  coordinator: [
    self,
    ownIdentities,
    readExams,
    fillExams,
    { operations: ['exams:delete', 'exams:share'], subject: 'Exam' },
    ...readOrders,
    ...fillOrders,
    { operations: ['uploads:replace'], subject: 'Upload' },
    ...readResults,
    { operations: ['results:deliver'], subject: 'Order' },
    { operations: ['results:acknowledge'], subject: 'Result' },
    ...readClinical,
    ...fillClinical,
  ],
  uploader: [
    self,
    ownIdentities,
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
    {
      operations: ['inspect:presign', 'inspect:complete', 'inspect:read', 'inspect:download'],
      subject: 'InspectFile',
      conditions: own,
    },
  ],
  reader: [self, ownIdentities, readExams, ...readOrders, ...readResults, ...readClinical],
  auditor: [
    self,
    ownIdentities,
    ...readAccess,
    ...AUDITED.map(allOf),
    /** What must be kept is for the organization to say; whoever audits may see it. */
    { operations: ['audit:list-holds', 'audit:read-hold'], subject: 'AuditHold' },
  ],
  patient: [
    // Not `account:read`: how much an organization stores is not for its patients.
    { operations: ['tokens:inspect'], subject: 'Token' },
    {
      operations: ['cases:contribute'],
      subject: 'PatientCase',
      conditions: { patientId: '${principal.id}' },
    },
    { operations: ['files:upload'], subject: 'PatientFile' },
    {
      operations: ['files:list', 'files:read', 'files:download'],
      subject: 'PatientFile',
      conditions: ofPatient,
    },
    {
      operations: ['files:rename', 'files:delete'],
      subject: 'PatientFile',
      conditions: { ...ofPatient, uploadedById: '${principal.id}' },
    },
  ],
};

/** Those of the platform's own organization, which works with nothing and manages all others. */
const PLATFORM_ROLES: Record<string, RoleRule[]> = {
  [PLATFORM_OWNER_ROLE]: [self, allOf('Organization'), ...ACCESS.map(allOf)],
  auditor: BUILT_IN_ROLES.auditor!,
};

/** The built-in roles an organization has. */
export const builtInRolesOf = (organizationId: string): Record<string, RoleRule[]> =>
  organizationId === PLATFORM_ORGANIZATION ? PLATFORM_ROLES : BUILT_IN_ROLES;
