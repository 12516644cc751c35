import { defineOperations } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

defineOperations({
  'cases:create': { subject: 'PatientCase', scope: 'cases:write', audited: 'transaction', creates: true },
  'cases:list': { subject: 'PatientCase', scope: 'cases:read', audited: 'response' },
  'cases:read': { subject: 'PatientCase', scope: 'cases:read', audited: 'response' },
  'cases:close': { subject: 'PatientCase', scope: 'cases:write', audited: 'transaction' },
  /** No route of its own: which cases a patient may name, to upload to them or to list their files. */
  'cases:contribute': { subject: 'PatientCase', scope: 'files:write', audited: 'never' },

  'attachments:create': {
    subject: 'PatientFile',
    pathNames: 'PatientCase',
    scope: 'cases:write',
    audited: 'transaction',
  },
  'attachments:list': {
    subject: 'PatientFile',
    pathNames: 'PatientCase',
    scope: 'cases:read',
    audited: 'response',
  },
  'documents:list': { subject: 'PatientFile', scope: 'cases:read', audited: 'response' },
  /** Of attachments and documents, by staff. */
  'case-files:read': { subject: 'PatientFile', scope: 'cases:read', audited: 'response' },
  'case-files:download': { subject: 'PatientFile', scope: 'cases:read', audited: 'transaction' },
  'case-files:classify': { subject: 'PatientFile', scope: 'cases:write', audited: 'transaction' },

  /** By the patient. */
  'files:upload': { subject: 'PatientFile', scope: 'files:write', audited: 'transaction', creates: true },
  'files:list': { subject: 'PatientFile', scope: 'files:read', audited: 'response' },
  'files:read': { subject: 'PatientFile', scope: 'files:read', audited: 'response' },
  'files:download': { subject: 'PatientFile', scope: 'files:read', audited: 'transaction' },
  'files:rename': { subject: 'PatientFile', scope: 'files:write', audited: 'transaction' },
  'files:delete': { subject: 'PatientFile', scope: 'files:write', audited: 'transaction' },
});

defineSubject('PatientCase', {
  rows: { model: 'patientCase' },
  conditions: { patientId: 'principal', createdById: 'principal' },
  within: { PatientCase: (id) => ({ id }) },
});

defineSubject('PatientFile', {
  rows: { model: 'patientFile', live: { deletedAt: null, visibleAt: { not: null } } },
  conditions: {
    patientId: 'principal',
    uploadedById: 'principal',
    isPhi: 'boolean',
    isRestricted: 'boolean',
  },
  within: { PatientCase: (caseId) => ({ caseId }) },
});
