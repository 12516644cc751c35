import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { Contact } from './contact.js';
import type { Door, UserKind } from './door.js';

/** Guesses one code takes, and how long it is good for, in milliseconds. */
const MAX_ATTEMPTS = 5;
const CODE_LIFETIME_MS = 10 * 60_000;

/**
 * Wrong codes an address takes in a day (UTC), however many are sent to it. A user has two addresses at most, hence takes
 * twenty.
 */
const MAX_FAILURES_A_DAY = 10;

/** The codes of one address (`contact.ts`). */
export interface Subject {
  organizationId: string;
  subjectId: string;
}

/** Who may sign in at that door by that address. */
export async function findUser(
  tx: SqlTransaction,
  { named, kind }: Door,
  { channel, address }: Contact,
): Promise<string | undefined> {
  const [row] =
    channel === 'email'
      ? await tx.$queryRaw<{ id: string }[]>`
          SELECT id FROM "user"
          WHERE organization_id = ${named}::uuid AND email = ${address}::text
            AND kind = ${kind}::user_kind AND disabled_at IS NULL`
      : await tx.$queryRaw<{ id: string }[]>`
          SELECT id FROM "user"
          WHERE organization_id = ${named}::uuid AND phone_number = ${address}::text
            AND kind = ${kind}::user_kind AND disabled_at IS NULL`;
  return row?.id;
}

/** When the newest codes of a subject were asked for, latest first. Waits for whoever asks for one of it just now. */
export async function lockRecentCodes(
  tx: SqlTransaction,
  { organizationId, subjectId }: Subject,
  { since, atMost }: { since: Date; atMost: number },
): Promise<Date[]> {
  await tx.$queryRaw`
    SELECT pg_advisory_xact_lock(hashtextextended(${`code ${organizationId} ${subjectId}`}::text, 0))::text`;
  const rows = await tx.$queryRaw<{ created_at: Date }[]>`
    SELECT created_at FROM otp_challenge
    WHERE organization_id = ${organizationId}::uuid AND subject_id = ${subjectId}::uuid
      AND created_at > ${since}::timestamptz
    ORDER BY created_at DESC LIMIT ${atMost}::int`;
  return rows.map(({ created_at }) => created_at);
}

export async function insertChallenge(
  tx: SqlTransaction,
  { organizationId, subjectId }: Subject,
  challenge: { id: string; userId: string | undefined; channel: Contact['channel']; createdAt: Date },
): Promise<void> {
  const { id, userId = null, channel, createdAt } = challenge;
  await tx.$executeRaw`
    INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at)
    VALUES (${id}::uuid, ${organizationId}::uuid, ${subjectId}::uuid, ${userId}::uuid, ${channel}::text,
            ${createdAt}::timestamptz, ${new Date(createdAt.getTime() + CODE_LIFETIME_MS)}::timestamptz)`;
}

/**
 * Counts a guess before it is looked at, as a wrong one of the day. Returns false when the day has had its share. Holds the
 * row, so that guesses of one subject come one after the other.
 */
export async function countFailure(
  tx: SqlTransaction,
  { organizationId, subjectId }: Subject,
  now: Date,
): Promise<boolean> {
  const counted = await tx.$executeRaw`
    INSERT INTO otp_budget AS b (organization_id, subject_id, day, failures)
    VALUES (${organizationId}::uuid, ${subjectId}::uuid, ${dayOf(now)}::date, 1)
    ON CONFLICT (organization_id, subject_id, day) DO UPDATE SET failures = b.failures + 1
    WHERE b.failures < ${MAX_FAILURES_A_DAY}::int`;
  return counted > 0;
}

/** It was right after all. */
export async function discountFailure(
  tx: SqlTransaction,
  { organizationId, subjectId }: Subject,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE otp_budget SET failures = failures - 1
    WHERE organization_id = ${organizationId}::uuid AND subject_id = ${subjectId}::uuid AND day = ${dayOf(now)}::date`;
}

/** Claims one attempt at the subject's newest code; nothing when there is none, or it is over, used, or used up. */
export async function claimAttempt(
  tx: SqlTransaction,
  { organizationId, subjectId }: Subject,
  now: Date,
): Promise<{ id: string; userId: string | null } | undefined> {
  const [row] = await tx.$queryRaw<{ id: string; user_id: string | null }[]>`
    UPDATE otp_challenge SET attempts = attempts + 1
    WHERE organization_id = ${organizationId}::uuid
      AND id = (SELECT c.id FROM otp_challenge c
                WHERE c.organization_id = ${organizationId}::uuid AND c.subject_id = ${subjectId}::uuid
                ORDER BY c.created_at DESC, c.id DESC LIMIT 1)
      AND attempts < ${MAX_ATTEMPTS}::int AND expires_at > ${now}::timestamptz AND used_at IS NULL
    RETURNING id, user_id`;
  return row && { id: row.id, userId: row.user_id };
}

/** Marks a code as used. Returns its user, if they may still sign in at that door. */
export async function useCode(
  tx: SqlTransaction,
  { named, kind }: Door,
  challengeId: string,
  now: Date,
): Promise<string | undefined> {
  const [row] = await tx.$queryRaw<{ user_id: string }[]>`
    UPDATE otp_challenge c SET used_at = ${now}::timestamptz
    FROM "user" u
    WHERE c.organization_id = ${named}::uuid AND c.id = ${challengeId}::uuid AND c.used_at IS NULL
      AND u.organization_id = c.organization_id AND u.id = c.user_id AND u.kind = ${kind}::user_kind
      AND u.disabled_at IS NULL
    RETURNING c.user_id`;
  return row?.user_id;
}

/** What is to be sent, unless it was, or nobody could use it: only the newest code of an address is good. */
export async function findUnsent(
  tx: SqlTransaction,
  organizationId: string,
  challengeId: string,
  now: Date,
): Promise<{ userId: string; kind: UserKind; to: Contact; from: string } | undefined> {
  const [row] = await tx.$queryRaw<
    {
      user_id: string;
      kind: UserKind;
      channel: Contact['channel'];
      address: string | null;
      organization: string;
    }[]
  >`
    SELECT c.user_id, u.kind, c.channel, CASE c.channel WHEN 'email' THEN u.email ELSE u.phone_number END AS address,
           o.name AS organization
    FROM otp_challenge c
    JOIN "user" u ON u.organization_id = c.organization_id AND u.id = c.user_id AND u.disabled_at IS NULL
    JOIN organization o ON o.id = c.organization_id AND o.disabled_at IS NULL
    WHERE c.organization_id = ${organizationId}::uuid AND c.id = ${challengeId}::uuid
      AND c.sent_at IS NULL AND c.used_at IS NULL AND c.expires_at > ${now}::timestamptz
      AND NOT EXISTS (SELECT 1 FROM otp_challenge n
                      WHERE n.organization_id = c.organization_id AND n.subject_id = c.subject_id
                        AND (n.created_at, n.id) > (c.created_at, c.id))`;
  if (!row || row.address === null) return undefined;
  const { user_id: userId, kind, channel, address, organization: from } = row;
  return { userId, kind, to: { channel, address }, from };
}

/** Notes that a code was sent, or never will be. Returns whether nobody had noted it before. */
export async function settleDelivery(
  tx: SqlTransaction,
  organizationId: string,
  challengeId: string,
  now: Date,
): Promise<boolean> {
  const settled = await tx.$executeRaw`
    UPDATE otp_challenge SET sent_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${challengeId}::uuid AND sent_at IS NULL`;
  return settled > 0;
}

const dayOf = (now: Date): string => now.toISOString().slice(0, 10);
