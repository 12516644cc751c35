/**
 * The one table from our actions to the codes others audit with: DICOM PS3.15 A.5.3 (event ids, CID 400; their types, CID
 * 401) and, by the same codes, FHIR R4 AuditEvent. It is total: what it does not know is Application Activity.
 */

/** A code of the DICOM Controlled Terminology (DCM, PS3.16 Annex D). */
export interface DcmCode {
  code: string;
  meaning: string;
}

export type ActionCode = 'C' | 'R' | 'U' | 'D' | 'E';

/** What kind of event an action is to those who read audit trails. */
export interface EventCoding {
  event: DcmCode;
  /** Its type, where the standard has one for it; the action's own name is always told beside it. */
  type?: DcmCode;
  action: ActionCode;
  /** Which way data goes: into this application, or out of it. */
  flow?: 'in' | 'out';
}

interface EventFamily extends DcmCode {
  /** The action codes PS3.15 A.5.3 allows it. One: it is always that. */
  actions: readonly ActionCode[];
  flow?: 'in' | 'out';
}

const dcm = (code: string, meaning: string): DcmCode => ({ code, meaning });
const family = (
  code: string,
  meaning: string,
  actions: string,
  flow?: 'in' | 'out',
): EventFamily & { code: string } => ({
  code,
  meaning,
  actions: [...actions] as ActionCode[],
  ...(flow && { flow }),
});

const ACTIVITY = family('110100', 'Application Activity', 'E');
const LOG_USED = family('110101', 'Audit Log Used', 'R');
const TRANSFER_BEGINS = family('110102', 'Begin Transferring DICOM Instances', 'E', 'in');
const ACCESSED = family('110103', 'DICOM Instances Accessed', 'CRUD');
const TRANSFERRED = family('110104', 'DICOM Instances Transferred', 'CRU', 'in');
const STUDY_DELETED = family('110105', 'DICOM Study Deleted', 'D');
const EXPORT = family('110106', 'Export', 'R', 'out');
const IMPORT = family('110107', 'Import', 'C', 'in');
const ORDER = family('110109', 'Order Record', 'CRUD');
const PATIENT = family('110110', 'Patient Record', 'CRUD');
const PROCEDURE = family('110111', 'Procedure Record', 'CRUD');
const QUERY = family('110112', 'Query', 'E');
const ALERT = family('110113', 'Security Alert', 'E');
const AUTHENTICATION = family('110114', 'User Authentication', 'E');

const LOGIN = dcm('110122', 'Login');
const LOGOUT = dcm('110123', 'Logout');
const RESTRICTED_FUNCTION = dcm('110132', 'Use of Restricted Function');
const NODE_AUTHENTICATION = dcm('110126', 'Node Authentication');
const SECURITY_CONFIGURATION = dcm('110129', 'Security Configuration');
const OBJECT_SECURITY = dcm('110135', 'Object Security Attributes Changed');
const SECURITY_ROLES = dcm('110136', 'Security Roles Changed');
const USER_SECURITY = dcm('110137', 'User Security Attributes Changed');

type Row = readonly [EventFamily, DcmCode?];

/** What the actions of an area are: those that change something, and those that only look. */
const AREAS: Record<string, { changes: Row; reads: Row }> = {
  // Images and reports
  orders: { changes: [ORDER], reads: [ORDER] },
  metadata: { changes: [ORDER], reads: [ORDER] },
  exams: { changes: [PROCEDURE], reads: [PROCEDURE] },
  results: { changes: [PROCEDURE], reads: [PROCEDURE] },
  studies: { changes: [ACCESSED], reads: [ACCESSED] },
  uploads: { changes: [ACCESSED], reads: [ACCESSED] },
  inspect: { changes: [ACCESSED], reads: [ACCESSED] },
  shares: { changes: [ACCESSED], reads: [ACCESSED] },
  // Patients
  cases: { changes: [PATIENT], reads: [PATIENT] },
  attachments: { changes: [PATIENT], reads: [PATIENT] },
  documents: { changes: [PATIENT], reads: [PATIENT] },
  'case-files': { changes: [PATIENT], reads: [PATIENT] },
  files: { changes: [PATIENT], reads: [PATIENT] },
  // Signing in
  tokens: { changes: [AUTHENTICATION, LOGIN], reads: [QUERY] },
  'sign-in': { changes: [AUTHENTICATION, LOGIN], reads: [AUTHENTICATION, LOGIN] },
  sessions: { changes: [AUTHENTICATION, LOGIN], reads: [QUERY] },
  auth: { changes: [ALERT, NODE_AUTHENTICATION], reads: [QUERY] },
  // Who may do what
  users: { changes: [ALERT, USER_SECURITY], reads: [QUERY] },
  clients: { changes: [ALERT, USER_SECURITY], reads: [QUERY] },
  'api-keys': { changes: [ALERT, USER_SECURITY], reads: [QUERY] },
  groups: { changes: [ALERT, SECURITY_ROLES], reads: [QUERY] },
  roles: { changes: [ALERT, SECURITY_ROLES], reads: [QUERY] },
  bindings: { changes: [ALERT, SECURITY_ROLES], reads: [QUERY] },
  access: { changes: [ALERT, SECURITY_ROLES], reads: [QUERY] },
  // The house itself
  'identity-providers': { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  'seal-keys': { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  'signing-keys': { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  organizations: { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  webhooks: { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  account: { changes: [ALERT, SECURITY_CONFIGURATION], reads: [QUERY] },
  events: { changes: [QUERY], reads: [QUERY] },
  audit: { changes: [LOG_USED], reads: [LOG_USED] },
  system: { changes: [ACTIVITY], reads: [ACTIVITY] },
};

/** Actions that are something else than their area says. */
const ACTIONS: Record<string, Row> = {
  'uploads:issue': [TRANSFER_BEGINS],
  'uploads:land': [TRANSFERRED],
  'uploads:complete': [TRANSFERRED],
  'uploads:notify': [TRANSFERRED],
  'uploads:register': [TRANSFERRED],
  'uploads:download': [EXPORT],
  'inspect:presign': [TRANSFER_BEGINS],
  'inspect:complete': [TRANSFERRED],
  'inspect:download': [EXPORT],
  'exams:issue-urls': [TRANSFER_BEGINS],
  'exams:share': [ALERT, OBJECT_SECURITY],
  'results:deliver': [IMPORT],
  'results:download': [EXPORT],
  'shares:unlock': [AUTHENTICATION, LOGIN],
  'shares:download': [EXPORT],
  'studies:delete': [STUDY_DELETED],
  'files:upload': [IMPORT],
  'files:download': [EXPORT],
  'case-files:download': [EXPORT],
  'case-files:classify': [ALERT, OBJECT_SECURITY],
  'organizations:exported': [EXPORT],
  // An event that was sealed and is gone: somebody beyond our roles took it away.
  'audit:missing-event': [ALERT, RESTRICTED_FUNCTION],
  // What is kept, or no longer kept, of the ledger is not a use of it.
  'audit:place-hold': [ALERT, SECURITY_CONFIGURATION],
  'audit:release-hold': [ALERT, SECURITY_CONFIGURATION],
  'audit:retired': [ALERT, SECURITY_CONFIGURATION],
  'audit:dropped': [ALERT, SECURITY_CONFIGURATION],
  'tokens:revoke': [AUTHENTICATION, LOGOUT],
  'sessions:end': [AUTHENTICATION, LOGOUT],
  'sessions:revoke': [AUTHENTICATION, LOGOUT],
};

/** The action code by the verb, or by its first word. */
const VERBS: Record<ActionCode, string> = {
  C: 'create add invite issue presign upload deliver land register complete contribute link notify',
  R: `list read download open unlock inspect introspect catalogue rights explain search verify export exported report
      metadata documentation health metrics assets`,
  U: `update write change close confirm rename classify acknowledge rotate enable disable replace retire require request
      cancel share`,
  D: 'delete remove revoke purge purged discard expire unlink reject end release detach',
  E: 'send start finish refresh suppressed',
};
const ACTION_OF = new Map(
  Object.entries(VERBS).flatMap(([code, verbs]) =>
    verbs.split(/\s+/).map((verb) => [verb, code as ActionCode] as const),
  ),
);

/** The codes of an action. @param action `<area>:<verb>`, the name of an operation or of what the system does by itself */
export function codingOf(action: string): EventCoding {
  const [area = '', verb = ''] = action.split(':');
  const [first] = verb.split('-');
  const code = ACTION_OF.get(verb) ?? ACTION_OF.get(first!) ?? 'E';
  const [event, type] = rowOf(action, area, first!, code);
  const given = event.actions.includes(code) ? code : event.actions.length === 1 ? event.actions[0]! : 'U';
  const { flow } = event;
  return {
    event: dcm(event.code, event.meaning),
    ...(type && { type }),
    action: given,
    ...(flow && { flow }),
  };
}

function rowOf(action: string, area: string, verb: string, code: ActionCode): Row {
  const own = Object.hasOwn(ACTIONS, action) && ACTIONS[action];
  if (own) return own;
  const rows = Object.hasOwn(AREAS, area) ? AREAS[area] : undefined;
  if (area === 'audit') return [LOG_USED];
  if (verb === 'list') return [QUERY];
  if (rows) return code === 'R' ? rows.reads : rows.changes;
  return [ACTIVITY];
}

/** Whether the table says of the area what it is: an action of an area that is not in it is Application Activity. */
export const isCodedArea = (action: string): boolean => Object.hasOwn(AREAS, action.split(':')[0]!);

/** PS3.15 A.5.2 and FHIR's audit-event-outcome: success 0, minor failure 4, serious failure 8. */
export function outcomeCode(outcome: string): '0' | '4' | '8' {
  return outcome === 'success' ? '0' : outcome === 'denied' ? '4' : '8';
}

/** Role of a participant (CID 402), or of a medium (CID 405). */
export const ROLES = {
  application: dcm('110150', 'Application'),
  destination: dcm('110152', 'Destination Role ID'),
  source: dcm('110153', 'Source Role ID'),
  destinationMedia: dcm('110154', 'Destination Media'),
  sourceMedia: dcm('110155', 'Source Media'),
  initiator: dcm('110156', 'Initiator Role ID'),
  uri: dcm('110037', 'URI'),
  study: dcm('110180', 'Study Instance UID'),
} as const;
