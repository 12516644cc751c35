/** Who does something that nobody has asked for in a request of its own. */
type Doer = 'worker' | 'operator' | 'api';

/**
 * Every action that the system performs by itself. What the source declares is compared with it (system-actions.spec.ts),
 * which also has the operator and the API do theirs; those of the worker are done, with the ledger there and away, in
 * ../faults/ledger-away-worker.spec.ts. Each is seen to write its event.
 */
export const SYSTEM_ACTIONS: Record<string, Doer> = {
  'access:rights': 'operator',
  'api-keys:create': 'operator',
  'audit:export-finished': 'worker',
  'auth:suppressed-failures': 'api',
  'clients:create': 'operator',
  'files:discard': 'worker',
  'organizations:create': 'operator',
  'organizations:exported': 'worker',
  'organizations:purged': 'worker',
  'organizations:require-metadata': 'operator',
  'roles:refresh': 'operator',
  'sign-in:deliver-code': 'worker',
  'signing-keys:rotate': 'operator',
  'studies:close': 'worker',
  'uploads:expire': 'worker',
  'uploads:land': 'worker',
  'uploads:purge': 'worker',
  'uploads:register': 'worker',
  'uploads:reject': 'worker',
  'uploads:verify': 'worker',
  'users:deliver-invitation': 'worker',
};

/** Those that are done, and seen to write their event, in a test of their own: which names them. */
export const SEEN_ELSEWHERE: Record<string, string> = {
  'audit:create-export': 'integration/audit/exports.spec.ts',
  'audit:dropped': 'integration/audit/retention.spec.ts',
  'audit:missing-event': 'integration/audit/missing-events.spec.ts',
  'audit:retired': 'integration/audit/retention.spec.ts',
  'results:download': 'integration/reports/disclosure-report.spec.ts',
  'seal-keys:rotate': 'integration/audit/anchors.spec.ts',
};

/** Every class that acts without being asked, and the events of what it does; or why there are none. */
export const DOERS: Record<string, string[] | string> = {
  Anchoring: 'takes heads to where they are kept as well, which audit_anchor tells',
  AuditGauges: 'measures, and changes nothing',
  DeletionProcessor: ['organizations:exported', 'organizations:purged'],
  DeliverProcessor: ['sign-in:deliver-code'],
  DiscardProcessor: ['files:discard'],
  ExpiredTokens: 'forgets what was over long ago and let nobody in any more',
  ExportProcessor: ['audit:export-finished'],
  FileCompletion: ['uploads:register'],
  InvitationHandler: ['users:deliver-invitation'],
  Partitions: 'makes room for events to come, and changes none',
  ResultDelivery: ['uploads:register'],
  Sealing: 'its seals are a ledger of their own; an event that it finds missing is told in that one’s place',
  UnfinishedDeletions: 'queues the work of DeletionProcessor',
  UnfinishedExports: 'queues the work of ExportProcessor',
  UnfinishedFiles: ['files:discard'],
  UnsentCodes: 'queues the work of DeliverProcessor',
  UnsentInvitations: 'queues the work of InvitationHandler',
  VerifyProcessor: ['uploads:verify', 'uploads:register', 'uploads:reject'],
};

/** Operations whose success and failure write no event, and why. */
export const NEVER_AUDITED: Record<string, string> = {
  'cases:contribute': 'no route: part of files:upload and files:list, which are audited',
  'shares:assets': 'style sheets and scripts, the same for everybody',
  'system:documentation': 'no route of a controller; the same for everybody',
  'system:health': 'asked every few seconds by whatever runs the process; says nothing of a tenant',
  'system:metrics': 'asked every few seconds by monitoring; numbers of the process, nothing of a tenant',
  'tokens:metadata': 'public keys and addresses, the same for everybody',
  'uploads:replace': 'no route: part of what registers an upload, which is audited',
};
