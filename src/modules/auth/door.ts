import type { Portal } from '../../platform/authorization/principal.js';
import { PATIENT_SCOPES, type Scope, SCOPES } from '../../platform/authorization/scopes.js';

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

export type UserKind = 'patient' | 'staff';

/** Where a user comes in: patients at a portal, staff at their organization's own door. Nobody comes in at another's. */
export interface Door {
  kind: UserKind;
  /** The organization whose users these are. Staff name it themselves, so that there may be no such organization. */
  named: string;
  /** Where calls at the door are counted and recorded: the same, or the platform's where there is no such organization. */
  organizationId: string;
  /** Of patients: the portal, which their sessions stay at. */
  portalKeyId: string | null;
}

export const patientsDoor = ({ organizationId, apiKeyId }: Portal): Door => ({
  kind: 'patient',
  named: organizationId,
  organizationId,
  portalKeyId: apiKeyId,
});

interface Terms {
  /** What its access tokens are good for at most. */
  scopes: readonly Scope[];
  /** A session ends when it was not refreshed for so long, and in any case after so long, in milliseconds. */
  idleMs: number;
  longestMs: number;
}

/** What a session is good for, by whose it is. That of staff is shorter, since it is good for more. */
export const TERMS: Record<UserKind, Terms> = {
  patient: { scopes: PATIENT_SCOPES, idleMs: 30 * DAY_MS, longestMs: 90 * DAY_MS },
  staff: { scopes: SCOPES, idleMs: 12 * HOUR_MS, longestMs: 7 * DAY_MS },
};

/** For the ledger, which says of what happens to patients whom it was about. */
export const patientRefOf = (kind: UserKind, userId: string | null | undefined): { patientRef?: string } =>
  kind === 'patient' && userId != null ? { patientRef: userId } : {};
