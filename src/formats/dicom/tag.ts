/** A tag is one unsigned number, group * 65536 + element: (0010,0020) is 0x00100020. */
export type Tag = number;

/** Tags that steer the reader itself. What is read for the index stands in header.ts. */
export const TAG = {
  fileMetaGroupLength: 0x00020000,
  mediaStorageSopClassUid: 0x00020002,
  mediaStorageSopInstanceUid: 0x00020003,
  transferSyntaxUid: 0x00020010,
  pixelDataProviderUrl: 0x00287fe0,
  encapsulatedDocument: 0x00420011,
  waveformData: 0x54001010,
  spectroscopyData: 0x56000020,
  floatPixelData: 0x7fe00008,
  doubleFloatPixelData: 0x7fe00009,
  pixelData: 0x7fe00010,
  dataSetTrailingPadding: 0xfffcfffc,
  item: 0xfffee000,
  itemDelimitation: 0xfffee00d,
  sequenceDelimitation: 0xfffee0dd,
} as const;

export function groupOf(tag: Tag): number {
  return tag >>> 16;
}

/** Private attributes have an odd group number (PS3.5 section 7.8). */
export function isPrivate(tag: Tag): boolean {
  return (tag & 0x10000) !== 0;
}

/** The three attributes that can hold the pixels of an image (PS3.3 sections C.7.6.3, C.7.6.24, C.7.6.25). */
export function isPixelData(tag: Tag): boolean {
  return tag === TAG.pixelData || tag === TAG.floatPixelData || tag === TAG.doubleFloatPixelData;
}

/** The attributes that describe the pixels of an image, up to Pixel Representation (PS3.3 section C.7.6.3). */
export function describesPixels(tag: Tag): boolean {
  return tag >= 0x00280002 && tag <= 0x00280103;
}

/** Values which are content rather than description: their size does not count as header. */
export function isBulkData(tag: Tag): boolean {
  return (
    isPixelData(tag) ||
    tag === TAG.encapsulatedDocument ||
    tag === TAG.waveformData ||
    tag === TAG.spectroscopyData
  );
}

/** `(0020,000D)`, as the standard writes it. */
export function formatTag(tag: Tag): string {
  const hex = (tag >>> 0).toString(16).toUpperCase().padStart(8, '0');
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}
