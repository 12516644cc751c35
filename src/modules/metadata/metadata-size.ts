/** Of one patch, of one sidecar, and of what an overlay may grow to by patches. */
export const MAX_ATTRIBUTES = 500;
/** Names and values, in bytes of UTF-8. */
export const MAX_METADATA_BYTES = 64 * 1024;

/** Bytes of names and values. What is nested deeper than a list is no value and does not count. */
export function metadataBytes(metadata: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    bytes += Buffer.byteLength(name);
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value])
      bytes += typeof item === 'object' ? 1 : Buffer.byteLength(String(item));
  }
  return bytes;
}
