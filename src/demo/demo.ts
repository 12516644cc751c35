import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { asOperator } from '../operator.js';
import type { LocalState } from '../platform/embedded/local-state.js';
import { SCOPES } from '../platform/authorization/scopes.js';
import { inviteOwner } from './invite-owner.js';
import { openCase } from './open-case.js';
import { ctPhantomSlices } from './phantom.js';
import { uploadExam } from './upload-exam.js';

const studySchema = z.object({
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
type StudyDemo = z.infer<typeof studySchema>;

const portalSchema = z.object({ portalApiKey: z.string(), patientEmail: z.string(), caseId: z.string() });
type PortalDemo = z.infer<typeof portalSchema>;

const staffSchema = z.object({ staffEmail: z.string() });
type StaffDemo = z.infer<typeof staffSchema>;

/** The facts of the demo, as `demo.json` holds them. */
export interface Demo extends StudyDemo, PortalDemo, StaffDemo {
  /** Where codes and invitations arrive; the embedded stack has it, nobody else. */
  mailboxUrl?: string;
}

/** The file of the walk-through, in the launcher's folder. */
export const SAMPLE_FILE = 'sample.dcm';

const ALL_SCOPES = [...SCOPES];
const UPLOADER_SCOPES = ['exams:write', 'exams:read'] as const;

/** Nobody's addresses: `.example` is reserved (RFC 2606). */
const OWNER = { email: 'grace.hopper@clinic.example', first_name: 'Grace', last_name: 'Hopper' };
const PATIENT = { email: 'jane.doe@patients.example', first_name: 'Jane', last_name: 'Doe' };

export interface DemoSettings {
  baseUrl: string;
  /** The database, as the worker's role. */
  workerUrl: string;
  mailboxUrl?: string;
}

/**
 * Two organizations with their principals, a study and a patient's case made THROUGH THE PUBLIC API. Made once; later
 * starts find them again, and add what an older version did not make. Each part is recorded when it is whole, so that an
 * interrupted first start makes it at the next.
 */
export async function prepareDemo(
  state: LocalState,
  { baseUrl, workerUrl, mailboxUrl }: DemoSettings,
  say: (line: string) => void,
): Promise<Demo> {
  const known = state.read('demo.json');
  const found = studySchema.safeParse(known);
  const study = found.success
    ? atAddress(found.data, baseUrl)
    : await makeStudy(state, { baseUrl, workerUrl }, say);
  const kept = portalSchema.safeParse(known);
  state.write('demo.json', { ...study, ...kept.data });
  const portal = kept.success ? kept.data : await makePortal(study, workerUrl);
  const invited = staffSchema.safeParse(known);
  state.write('demo.json', { ...study, ...portal, ...invited.data });
  const staff = invited.success ? invited.data : await makeStaff(study);
  const demo = { ...study, ...portal, ...staff, ...(mailboxUrl && { mailboxUrl }) };
  state.write('demo.json', demo);
  return demo;
}

async function makeStudy(
  state: LocalState,
  { baseUrl, workerUrl }: DemoSettings,
  say: (line: string) => void,
): Promise<StudyDemo> {
  const principals = await createPrincipals(workerUrl);
  say('Making a demo study (a CT head phantom, 64 slices) and uploading it through the API …');
  const files = [...ctPhantomSlices()];
  writeFileSync(state.path(SAMPLE_FILE), files[32]!.bytes);
  const { shareUrl, viewerUrl } = await uploadExam(baseUrl, principals.apiKey, {
    name: 'CT head (phantom)',
    patient_name: 'Demo Phantom',
    exam_type: 'CT',
    files,
  });
  return { baseUrl, ...principals, shareUrl, viewerUrl };
}

async function makePortal(
  { baseUrl, organizationId, clientId, clientSecret }: StudyDemo,
  workerUrl: string,
): Promise<PortalDemo> {
  const portalApiKey = await asOperator(workerUrl, (organizations) =>
    organizations.createPortalKey({ organizationId, name: 'Demo portal' }),
  );
  const caseId = await openCase(baseUrl, { clientId, clientSecret }, PATIENT);
  return { portalApiKey, patientEmail: PATIENT.email, caseId };
}

async function makeStaff(study: StudyDemo): Promise<StaffDemo> {
  const { baseUrl, adminClientId: clientId, adminClientSecret: clientSecret } = study;
  await inviteOwner(baseUrl, { clientId, clientSecret }, OWNER);
  return { staffEmail: OWNER.email };
}

function createPrincipals(
  databaseUrl: string,
): Promise<Omit<StudyDemo, 'baseUrl' | 'shareUrl' | 'viewerUrl'>> {
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
function atAddress(demo: StudyDemo, baseUrl: string): StudyDemo {
  const move = (url: string) => baseUrl + url.slice(demo.baseUrl.length);
  return { ...demo, baseUrl, shareUrl: move(demo.shareUrl), viewerUrl: move(demo.viewerUrl) };
}
