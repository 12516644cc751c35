import { toDicomXml } from '../../dicom-audit-message.js';
import type { ExportFormat } from './export.format.js';
import { mapped } from './mapped.format.js';

/** One XML document of AuditMessages (DICOM PS3.15 A.5.1), each on a line of its own. The element around them is ours: the standard sends them one by one. */
export const dicom: ExportFormat = {
  opening: '<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n',
  first: '',
  separator: '',
  closing: () => '</AuditMessages>\n',
  write: async (events, context) => {
    const messages = await mapped(events, context, (event, coding) => `${toDicomXml(event, coding)}\n`);
    return messages.join('');
  },
};
