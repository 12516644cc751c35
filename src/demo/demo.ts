import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { asOperator } from '../operator.js';
import type { LocalState } from '../platform/embedded/local-state.js';
import { SCOPES } from '../platform/authorization/scopes.js';
import { ctPhantomSlices } from './phantom.js';
import { uploadExam } from './upload-exam.js';

const demoSchema = z.object({
  baseUrl: z.string(),
  organizationId: z.string(),
  clientId: z.string(),
  clientSecret: z.string(),
  apiKey: z.string(),
  adminClientId: z.string(),
  adminClientSecret: z.string(),
  auditorClientId: z.string(),
  auditorClientSecret: z.string(),
  other: z.object({ organizationId: z.string(), clientId: z.string(), clientSecret: z.string() }),
  shareUrl: z.string(),
  viewerUrl: z.string(),
});

/** The facts of the demo, as `demo.json` holds them. */
export type Demo = z.infer<typeof demoSchema>;

/** The file of the walk-through, in the launcher's folder. */
export const SAMPLE_FILE = 'sample.dcm';

const ALL_SCOPES = [...SCOPES];
const UPLOADER_SCOPES = ['exams:write', 'exams:read'] as const;

/**
 * Two organizations with their principals, and a study uploaded THROUGH THE PUBLIC API. Made once; later starts find
 * it again. The record is written last, so that an interrupted first start makes a whole demo at the next.
 */
export async function prepareDemo(
  state: LocalState,
  baseUrl: string,
  databaseUrl: string,
  say: (line: string) => void,
): Promise<Demo> {
  const known = demoSchema.safeParse(state.read('demo.json'));
  if (known.success) {
    const demo = atAddress(known.data, baseUrl);
    state.write('demo.json', demo);
    return demo;
  }
  const principals = await createPrincipals(databaseUrl);
  say('Making a demo study (a CT head phantom, 64 slices) and uploading it through the API …');
  const files = [...ctPhantomSlices()];
  writeFileSync(state.path(SAMPLE_FILE), files[32]!.bytes);
  const { shareUrl, viewerUrl } = await uploadExam(baseUrl, principals.apiKey, {
    name: 'CT head (phantom)',
    patient_name: 'Demo Phantom',
    exam_type: 'CT',
    files,
  });
  const demo = { baseUrl, ...principals, shareUrl, viewerUrl };
  state.write('demo.json', demo);
  return demo;
}

function createPrincipals(databaseUrl: string): Promise<Omit<Demo, 'baseUrl' | 'shareUrl' | 'viewerUrl'>> {
  return asOperator(databaseUrl, async (organizations) => {
    const organizationId = await organizations.createOrganization('Demo Clinic');
    const client = await organizations.createClient({
      organizationId,
      name: 'Demo integration',
      role: 'coordinator',
      scopes: ALL_SCOPES,
    });
    const admin = await organizations.createClient({
      organizationId,
      name: 'Demo admin',
      role: 'owner',
      scopes: ALL_SCOPES,
    });
    const auditor = await organizations.createClient({
      organizationId,
      name: 'Demo auditor',
      role: 'auditor',
      scopes: ['audit:read', 'audit:export'],
    });
    const apiKey = await organizations.createApiKey({
      organizationId,
      name: 'Demo key',
      role: 'coordinator',
      scopes: UPLOADER_SCOPES,
    });
    const otherId = await organizations.createOrganization('Other Clinic');
    const other = await organizations.createClient({
      organizationId: otherId,
      name: 'Other integration',
      role: 'owner',
      scopes: ALL_SCOPES,
    });
    return {
      organizationId,
      ...client,
      apiKey,
      adminClientId: admin.clientId,
      adminClientSecret: admin.clientSecret,
      auditorClientId: auditor.clientId,
      auditorClientSecret: auditor.clientSecret,
      other: { organizationId: otherId, ...other },
    };
  });
}

/** The same demo when the port has changed since. */
function atAddress(demo: Demo, baseUrl: string): Demo {
  const move = (url: string) => baseUrl + url.slice(demo.baseUrl.length);
  return { ...demo, baseUrl, shareUrl: move(demo.shareUrl), viewerUrl: move(demo.viewerUrl) };
}
