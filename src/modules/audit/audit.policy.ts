import { defineOperations, type Operation } from '../../platform/authorization/operations.js';
import { defineSubject } from '../../platform/authorization/subjects.js';

const read: Pick<Operation, 'scope' | 'audited'> = { scope: 'audit:read', audited: 'response' };
const takeHome: Pick<Operation, 'subject' | 'scope'> = { subject: 'AuditExport', scope: 'audit:export' };

defineOperations({
  'audit:list-events': { subject: 'AuditEvent', ...read },
  'audit:read-event': { subject: 'AuditEvent', ...read },

  'audit:place-hold': { subject: 'AuditHold', scope: 'audit:export', audited: 'transaction', creates: true },
  'audit:list-holds': { subject: 'AuditHold', scope: 'audit:export', audited: 'response' },
  'audit:read-hold': { subject: 'AuditHold', scope: 'audit:export', audited: 'response' },
  'audit:release-hold': { subject: 'AuditHold', scope: 'audit:export', audited: 'transaction' },
  'audit:create-export': { ...takeHome, audited: 'transaction' },
  'audit:list-exports': { ...takeHome, audited: 'response' },
  'audit:read-export': { ...takeHome, audited: 'response' },
  'audit:list-seals': { subject: 'AuditSeal', ...read },
  'audit:list-keys': { subject: 'AuditSeal', ...read },
  'audit:verify': { subject: 'AuditSeal', ...read },
});

defineSubject('AuditHold', { rows: { model: 'auditHold' } });
