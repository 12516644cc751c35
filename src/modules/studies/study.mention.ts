import type { Caller } from '../../platform/authorization/principal.js';
import type { Transaction } from '../../platform/database/database.service.js';

/** The id of our row of a study; undefined when there is none. */
export async function studyIdOf(
  tx: Transaction,
  organizationId: string,
  studyInstanceUid: string,
): Promise<string | undefined> {
  const where = { organizationId_studyInstanceUid: { organizationId, studyInstanceUid } };
  return (await tx.study.findUnique({ where, select: { id: true } }))?.id;
}

/** For the ledger, in which no StudyInstanceUID stands: by which study something was asked for. */
export async function mentionStudy(tx: Transaction, caller: Caller, studyInstanceUid: string): Promise<void> {
  const studyRef = await studyIdOf(tx, caller.principal.organizationId, studyInstanceUid);
  if (studyRef) caller.request.about = { ...caller.request.about, studyRef };
}
