import { hostname } from 'node:os';
import type { AuditRecord } from '../../audit.events.js';
import { toDicomXml } from '../../dicom-audit-message.js';
import type { CodingContext } from '../../event.participants.js';

/** PS3.15 A.6: facility 10 (security/authorization), severity 5 (notice), or 4 (warning) where something was not done. */
const FACILITY = 10;
const NOTICE = 5;
const WARNING = 4;
/** PS3.15 A.6: the MSGID of what complies with that profile. */
const MSGID = 'DICOM+RFC3881';
const UTF8_BOM = '\ufeff';

/** RFC 5424, 6.2.4: printable ASCII, 255 at most; `-` is its word for none. */
const HOSTNAME =
  hostname()
    .replace(/[^!-~]/g, '')
    .slice(0, 255) || '-';

/**
 * An event as a syslog message (RFC 5424) with its DICOM audit message, in its octet-counted frame (RFC 5425, 4.3). There is
 * no STRUCTURED-DATA: own names in it need an enterprise number. What tells duplicates apart, the event's id and position,
 * is in the XML.
 */
export function syslogFrame(event: AuditRecord, context: CodingContext & { position: number }): Buffer {
  const priority = FACILITY * 8 + (event.outcome === 'success' ? NOTICE : WARNING);
  const header = [
    `<${priority}>1`,
    event.occurredAt.toISOString(),
    HOSTNAME,
    'scandock',
    process.pid,
    MSGID,
    '-',
  ].join(' ');
  const message = Buffer.from(`${header} ${UTF8_BOM}${toDicomXml(event, context)}`);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
