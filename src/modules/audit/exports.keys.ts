import type { AuditExportFormat } from '../../generated/prisma/client.js';

/** How a file of each format ends. */
export const EXTENSIONS: Readonly<Record<AuditExportFormat, string>> = {
  csv: 'csv',
  ndjson: 'ndjson',
  fhir: 'json',
  dicom: 'xml',
};

interface Export {
  organizationId: string;
  id: string;
  format: AuditExportFormat;
}

/** Where an export's file lies in the bucket. */
export const exportKey = ({ organizationId, id, format }: Export): string =>
  `exports/${organizationId}/audit/${id}.${EXTENSIONS[format]}`;

/** Where its manifest lies. */
export const manifestKey = ({ organizationId, id }: Pick<Export, 'organizationId' | 'id'>): string =>
  `exports/${organizationId}/audit/${id}.manifest.ndjson`;
