const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const STAGING_KEY = new RegExp(`^staging/(${UUID})/(${UUID})$`);

export const STAGING_PREFIX = 'staging/';

/** Where the presigned PUT writes. Keys hold ids only, never a name or anything of the patient. */
export const stagingKey = (organizationId: string, uploadId: string): string =>
  `staging/${organizationId}/${uploadId}`;

/** Whose staging object lies under the key; undefined for a key that is not one of ours. */
export function parseStagingKey(key: string): { organizationId: string; uploadId: string } | undefined {
  const match = STAGING_KEY.exec(key);
  return match ? { organizationId: match[1]!, uploadId: match[2]! } : undefined;
}
