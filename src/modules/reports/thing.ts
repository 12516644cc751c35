/** What a report can be about; the ids are those of our own rows, so a report can still be had when the row is gone. */
export type ThingType = 'study' | 'patient' | 'case' | 'file';

/** One thing of one organization. A file is a patient's file, a file of an inspection, or an upload. */
export interface Thing {
  organizationId: string;
  type: ThingType;
  id: string;
}
