import type { User } from '../../generated/prisma/client.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { patientAmbiguous } from './cases.errors.js';
import type { CreateCase, NewPatient } from './cases.schemas.js';

/** Whose case it is: the patient of that id, or who goes by that address or number. @throws not_found, patient_ambiguous */
export async function patientOf(
  tx: Transaction,
  organizationId: string,
  { patient_id, patient }: CreateCase,
  now: Date,
): Promise<{ patient: User; known: boolean }> {
  if (patient) return findOrCreate(tx, organizationId, patient, now);
  const found = await tx.user.findFirst({ where: { organizationId, id: patient_id!, kind: 'patient' } });
  if (!found) throw notFound();
  return { patient: found, known: true };
}

/** Two who make the same patient at once make one: the second insert does nothing, and finds the first's row. */
async function findOrCreate(
  tx: Transaction,
  organizationId: string,
  { email, phone_number: phoneNumber, first_name, last_name }: NewPatient,
  now: Date,
): Promise<{ patient: User; known: boolean }> {
  const made = await tx.user.createMany({
    data: [
      {
        id: newId(),
        organizationId,
        kind: 'patient',
        firstName: first_name ?? '',
        lastName: last_name ?? '',
        email: email ?? null,
        phoneNumber: phoneNumber ?? null,
        createdAt: now,
      },
    ],
    skipDuplicates: true,
  });
  const contacts = [...(email ? [{ email }] : []), ...(phoneNumber ? [{ phoneNumber }] : [])];
  const [found, another] = await tx.user.findMany({
    where: { organizationId, kind: 'patient', OR: contacts },
  });
  const agrees =
    found &&
    !another &&
    (email ?? found.email) === found.email &&
    (phoneNumber ?? found.phoneNumber) === found.phoneNumber &&
    isSameName(first_name, found.firstName) &&
    isSameName(last_name, found.lastName);
  if (!agrees) throw patientAmbiguous();
  return { patient: found, known: made.count === 0 };
}

/** A case for the wrong person is worse than one that is not opened. */
const isSameName = (given: string | undefined, known: string): boolean =>
  given === undefined || given.toLowerCase() === known.toLowerCase();
