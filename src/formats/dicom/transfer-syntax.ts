/** How the elements of a data set are encoded (PS3.5 section 10 and annex A). */
export interface Encoding {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
}

export const EXPLICIT_LITTLE_ENDIAN: Encoding = { explicitVr: true, littleEndian: true };
export const IMPLICIT_LITTLE_ENDIAN: Encoding = { explicitVr: false, littleEndian: true };
const EXPLICIT_BIG_ENDIAN: Encoding = { explicitVr: true, littleEndian: false };

export const TRANSFER_SYNTAX = {
  implicitLittleEndian: '1.2.840.10008.1.2',
  explicitLittleEndian: '1.2.840.10008.1.2.1',
  deflatedExplicitLittleEndian: '1.2.840.10008.1.2.1.99',
  explicitBigEndian: '1.2.840.10008.1.2.2',
  jpegBaseline: '1.2.840.10008.1.2.4.50',
} as const;

/** JPIP Referenced Deflate and its HTJ2K twin deflate the data set too (PS3.5 sections A.7 and A.10). */
const DEFLATED: ReadonlySet<string> = new Set([
  TRANSFER_SYNTAX.deflatedExplicitLittleEndian,
  '1.2.840.10008.1.2.4.95',
  '1.2.840.10008.1.2.4.205',
]);

export function isDeflated(transferSyntaxUid: string): boolean {
  return DEFLATED.has(transferSyntaxUid);
}

/** Every syntax but the two named ones, private and future ones included, is explicit little endian (PS3.5 A.4). */
export function encodingOf(transferSyntaxUid: string): Encoding {
  switch (transferSyntaxUid) {
    case TRANSFER_SYNTAX.implicitLittleEndian:
      return IMPLICIT_LITTLE_ENDIAN;
    case TRANSFER_SYNTAX.explicitBigEndian:
      return EXPLICIT_BIG_ENDIAN;
    default:
      return EXPLICIT_LITTLE_ENDIAN;
  }
}
