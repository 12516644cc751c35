export const DISCLOSURE_KINDS = ['share_opening', 'share_download', 'download', 'result_download'] as const;

export type DisclosureKind = (typeof DISCLOSURE_KINDS)[number];

/** What one kind of event is worth as a disclosure. */
export interface DisclosureEvidence {
  kind: DisclosureKind;
  /** `delivered`: we have sent it. `issued`: a URL that is good for some minutes, and nobody tells us whether it was used. */
  evidence: 'delivered' | 'issued';
}

/**
 * What by its nature may have left the organization (45 CFR 164.528). Not here: what a patient fetches of their own
 * (`files:download`, (a)(1)(ii)), and what is shown of a record over the API, which is use by those the organization has
 * let in, and stands in the access report. What will send something by itself, such as a webhook, takes its line here.
 */
export const DISCLOSURES: Readonly<Record<string, DisclosureEvidence>> = {
  'shares:open': { kind: 'share_opening', evidence: 'delivered' },
  'shares:download': { kind: 'share_download', evidence: 'issued' },
  'uploads:download': { kind: 'download', evidence: 'issued' },
  'inspect:download': { kind: 'download', evidence: 'issued' },
  'case-files:download': { kind: 'download', evidence: 'issued' },
  'results:download': { kind: 'result_download', evidence: 'issued' },
};
