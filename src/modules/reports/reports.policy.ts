import { defineOperations, type Operation } from '../../platform/authorization/operations.js';

/** Of everything that a report finds, whoever did it: a rule with conditions, or a limited binding, grants none of it. */
const report: Pick<Operation, 'subject' | 'scope' | 'audited' | 'unconditional'> = {
  subject: 'AuditEvent',
  scope: 'audit:read',
  audited: 'response',
  unconditional: true,
};

defineOperations({
  /** Who saw or changed anything of a study, a case or a file. */
  'audit:report-access': report,
  /** What of a patient, a study, a case or a file went to somebody else. */
  'audit:report-disclosures': report,
});
