import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';

const URLS = `An issued download URL is proof that it was issued, not that anything was retrieved by it. It is good for ${URL_LIFETIME_SECONDS} seconds, and whoever holds it can use it.`;

/** What the access report does not say; fixed sentences, the same in every answer. */
export const ACCESS_NOTES = [
  'A page of a list shows many things and its event names none of them: it is listed here only if it was asked for this one alone. The ledger tells who has listed.',
  'A request that was refused before anything was looked up by a StudyInstanceUID is not named here, since no such UID is written into the ledger.',
  'What was done to an order, an exam or a share link that holds several studies is listed for each of them, unless the event names its study.',
  'Reports and searches of the ledger are not listed: they show nothing of the thing itself.',
  URLS,
];

/** What the disclosure report does not say. */
export const DISCLOSURE_NOTES = [
  'These are candidates. Which of them have to be accounted for under 45 CFR 164.528 depends on purpose and authorization, which Scandock is not told: treatment, payment, health care operations and what an authorization allows do not.',
  'Left out are what patients fetch of their own, and what the principal that sent the bytes fetches again.',
  'A download by a user, client or key of the organization is listed because Scandock cannot know on whose behalf it was made.',
  'Whoever opens a share link is known by its address only.',
  'Reading records without fetching bytes is in the access report.',
  URLS,
];
