import { call, type ClientCredentials, tokenOf } from './api-calls.js';

/** A case for a patient, as staff opens it through the API; who has an address may sign in from then on. */
export async function openCase(
  baseUrl: string,
  staff: ClientCredentials,
  patient: { email: string; first_name: string; last_name: string },
): Promise<string> {
  const token = await tokenOf(baseUrl, staff, 'cases:write');
  const body = { patient, title: 'Knee pain' };
  return (await call<{ id: string }>(`${baseUrl}/api/v1/admin/cases`, token, body)).id;
}
