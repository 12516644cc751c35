import { defineOperations } from '../../platform/authorization/operations.js';

defineOperations({
  'shares:open': { subject: 'ShareLink', audited: 'transaction' },
  'shares:unlock': { subject: 'ShareLink', audited: 'transaction' },
  'shares:download': { subject: 'ShareLink', pathNames: 'Upload', audited: 'transaction' },
  'shares:assets': { subject: 'ShareLink', audited: 'never' },
});
