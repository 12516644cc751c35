/** Where an order stands (docs/ingestion.md). */
export const ORDER_STATES = ['open', 'processing', 'complete', 'incomplete', 'failed', 'closed'] as const;
export type OrderState = (typeof ORDER_STATES)[number];

export interface UploadCounts {
  issued: number;
  landed: number;
  verified: number;
  registered: number;
  rejected: number;
  expired: number;
}

export interface OrderFacts {
  counts: UploadCounts;
  /** Whether one of its studies may still grow by itself. */
  submissionOpen: boolean;
  /** Required attributes that nobody has given. */
  missing: readonly string[];
  closed: boolean;
}

/** An order's state follows from what is there; none is stored that could be forgotten. */
export function orderState({ counts, submissionOpen, missing, closed }: OrderFacts): OrderState {
  if (counts.landed + counts.verified > 0 || submissionOpen) return 'processing';
  if (counts.registered === 0) {
    if (counts.rejected > 0 && counts.issued === 0) return 'failed';
    return closed ? 'closed' : 'open';
  }
  if (missing.length > 0) return 'incomplete';
  return closed ? 'closed' : 'complete';
}

/** Whether metadata is still taken: a closed order that lacks some could otherwise never be completed. */
export const takesMetadata = (state: OrderState): boolean => state !== 'closed';
