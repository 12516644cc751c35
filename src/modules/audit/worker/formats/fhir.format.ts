import { toFhir } from '../../fhir-audit-event.js';
import type { ExportFormat } from './export.format.js';
import { mapped } from './mapped.format.js';

const SEPARATOR = ',\n';

/** One Bundle of FHIR R4 (4.0.1), a collection of AuditEvents, each on a line of its own. */
export const fhir: ExportFormat = {
  opening: '{"resourceType":"Bundle","type":"collection"',
  first: ',"entry":[\n', // which FHIR does not allow to be empty
  separator: SEPARATOR,
  closing: (empty) => (empty ? '}\n' : '\n]}\n'),
  write: async (events, context) => {
    const entries = await mapped(events, context, (event, coding) =>
      JSON.stringify({ fullUrl: `urn:uuid:${event.id}`, resource: toFhir(event, coding) }),
    );
    return entries.join(SEPARATOR);
  },
};
