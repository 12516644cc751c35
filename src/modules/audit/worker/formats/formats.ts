import type { AuditExportFormat } from '../../../../generated/prisma/client.js';
import { csv } from './csv.format.js';
import { dicom } from './dicom.format.js';
import type { ExportFormat } from './export.format.js';
import { fhir } from './fhir.format.js';
import { ndjson } from './ndjson.format.js';

export const FORMATS: Readonly<Record<AuditExportFormat, ExportFormat>> = { csv, ndjson, fhir, dicom };
