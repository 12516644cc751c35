/** What may be wrong with a ledger, or with what was taken from it. The list is closed; the codes never change. */
export const FAULTS = {
  altered: 'The event is not what was sealed here.',
  're-dated': 'The event has another time than it was sealed with.',
  removed: 'What was sealed here is gone.',
  added: 'No seal covers the event, and it does not wait for one.',
  reordered: 'The event was sealed at another position.',
  duplicated: 'The event has more than one position, or waits for another.',
  forged: 'No key of this deployment has signed what stands here.',
  unchained: 'It does not follow from what stands before it.',
  record: 'The events are as they were sealed, but what the tree says of them is not.',
  head: 'The head is not the one that was made, or not in its place.',
  truncated: 'Something was cut off at the end.',
  anchor: 'Outside of the database another head is kept under this number.',
  malformed: 'It cannot be read.',
  statement: 'What the export says of itself is not so.',
} as const;
export type FaultCode = keyof typeof FAULTS;

/** What more there is to say of a gap that was sealed as one. */
export const GONE_BEFORE = 'It was gone before it was sealed.';

/** Where it is: as near as can be told. */
export interface Place {
  /** Position in the organization's ledger, from 1. */
  seq?: number;
  /** Of the event. */
  id?: string;
  /** Number of the seal. */
  seal?: number;
}

/** The first thing that is wrong. */
export interface Fault extends Place {
  /** `<code>: <sentence>` */
  why: string;
}

/** @param more what can be said beyond the code's own sentence */
export const fault = (code: FaultCode, { seq, id, seal }: Place, more?: string): Fault => ({
  ...(seq !== undefined && { seq }),
  ...(id !== undefined && { id }),
  ...(seal !== undefined && { seal }),
  why: `${code}: ${FAULTS[code]}${more ? ` ${more}` : ''}`,
});
