import { randomUUID } from 'node:crypto';
import { newId } from '../../src/platform/database/id.js';
import type { Clinic } from '../support/clinic.js';
import type { Portal, Session } from '../support/portal.js';
import type { Calls } from './ingestion-calls.js';

const CASES = '/api/v1/admin/cases';
const FILES = '/api/v1/admin/files';
const MINE = '/api/v1/users/me/files';

const newAddress = (): string => `${randomUUID()}@patients.example`;

/** Every audited route of cases, and of a patient's portal; `METHOD path` as in the route table. */
export function clinicalCalls(clinicOf: () => Clinic, portalOf: () => Portal): Record<string, Calls> {
  const openCase = async (): Promise<string> => (await clinicOf().openCase()).caseId;
  const attachment = async (): Promise<string> => clinicOf().attach(await openCase(), Buffer.from(newId()));
  const patient = async () => (await clinicOf().admit()).patient;
  const uploaded = async () => {
    const own = await patient();
    return { own, id: await own.deliver(newId()) };
  };
  return {
    [`POST ${CASES}`]: {
      success: (by) => by.post(CASES, { patient: { email: newAddress() } }),
      failure: (by) => by.post(CASES, { patient_id: newId() }),
    },
    [`GET ${CASES}`]: {
      success: (by) => by.get(CASES),
      failure: (by) => by.get(`${CASES}?limit=0`),
    },
    [`GET ${CASES}/:id`]: {
      success: async (by) => by.get(`${CASES}/${await openCase()}`),
      failure: (by) => by.get(`${CASES}/${newId()}`),
    },
    [`POST ${CASES}/:id/close`]: {
      success: async (by) => by.post(`${CASES}/${await openCase()}/close`),
      failure: (by) => by.post(`${CASES}/${newId()}/close`),
    },
    [`GET ${CASES}/:id/attachments`]: {
      success: async (by) => by.get(`${CASES}/${await openCase()}/attachments`),
      failure: (by) => by.get(`${CASES}/${newId()}/attachments`),
    },
    [`POST ${CASES}/:id/attachments`]: {
      success: async (by) => {
        const file_id = await clinicOf().staff.deliver(Buffer.from(newId()), 'text/plain');
        return by.post(`${CASES}/${await openCase()}/attachments`, { file_id });
      },
      failure: async (by) => by.post(`${CASES}/${await openCase()}/attachments`, { file_id: newId() }),
    },
    'GET /api/v1/admin/documents': {
      success: (by) => by.get('/api/v1/admin/documents'),
      failure: (by) => by.get('/api/v1/admin/documents?limit=0'),
    },
    [`GET ${FILES}/:id`]: {
      success: async (by) => by.get(`${FILES}/${await attachment()}`),
      failure: (by) => by.get(`${FILES}/${newId()}`),
    },
    [`PATCH ${FILES}/:id`]: {
      success: async (by) => by.call('PATCH', `${FILES}/${await attachment()}`, { is_phi: true }),
      failure: (by) => by.call('PATCH', `${FILES}/${newId()}`, { is_phi: true }),
    },
    [`GET ${FILES}/:id/download`]: {
      success: async (by) => by.get(`${FILES}/${await attachment()}/download`),
      failure: (by) => by.get(`${FILES}/${newId()}/download`),
    },
    [`POST ${MINE}/upload`]: {
      success: async () => (await patient()).upload(newId()),
      failure: async () => (await patient()).upload(newId(), { caseId: newId() }),
    },
    [`GET ${MINE}`]: {
      success: async () => (await patient()).list(),
      failure: async () => (await patient()).list('?limit=0'),
    },
    [`GET ${MINE}/:id/metadata`]: {
      success: async () => uploaded().then(({ own, id }) => own.metadata(id)),
      failure: async () => (await patient()).metadata(newId()),
    },
    [`PATCH ${MINE}/:id/metadata`]: {
      success: async () => uploaded().then(({ own, id }) => own.rename(id, 'b.txt')),
      failure: async () => (await patient()).rename(newId(), 'b.txt'),
    },
    [`GET ${MINE}/:id/download`]: {
      success: async () => uploaded().then(({ own, id }) => own.download(id)),
      failure: async () => (await patient()).download(newId()),
    },
    [`DELETE ${MINE}/:id`]: {
      success: async () => uploaded().then(({ own, id }) => own.remove(id)),
      failure: async () => (await patient()).remove(newId()),
    },
    ...signInCalls(portalOf),
  };
}

function signInCalls(portalOf: () => Portal): Record<string, Calls> {
  const AUTH = '/api/v1/users/auth';
  const session = (): Promise<Session> => portalOf().signIn();
  return {
    [`POST ${AUTH}/send-otp`]: {
      success: async () => {
        const email = newAddress();
        await portalOf().newPatient({ email });
        return portalOf().sendCode({ email });
      },
      failure: () => portalOf().sendCode({}),
    },
    [`POST ${AUTH}/verify-otp`]: {
      success: async () => {
        const email = newAddress();
        await portalOf().plantCode(email, await portalOf().newPatient({ email }));
        return portalOf().verify({ email, code: await portalOf().codeOf(email) });
      },
      failure: () => portalOf().verify({ email: newAddress(), code: '000000' }),
    },
    [`POST ${AUTH}/refresh-token`]: {
      success: async () => portalOf().refresh((await session()).refreshToken),
      failure: () => portalOf().refresh(newId()),
    },
    [`POST ${AUTH}/logout`]: {
      success: async () => portalOf().logout((await session()).refreshToken),
      failure: () => portalOf().logout(''),
    },
  };
}
