/** Value representations (PS3.5 section 6.2) as the two bytes that stand in the file, big end first. */
export type VrCode = number;

const SHORT_VRS = 'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' ');
const LONG_VRS = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ');

export function vrCode(vr: string): VrCode {
  return (vr.charCodeAt(0) << 8) | vr.charCodeAt(1);
}

export const VR_UN = vrCode('UN');
export const VR_SQ = vrCode('SQ');
/** What the reader notes for an element that carries no VR: implicit encoding, items and delimiters. */
export const VR_NONE: VrCode = 0;

const SHORT = 1;
const LONG = 2;
const forms = new Uint8Array(0x10000);
for (const vr of SHORT_VRS) forms[vrCode(vr)] = SHORT;
for (const vr of LONG_VRS) forms[vrCode(vr)] = LONG;

const isUpperCaseLetter = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a;

/**
 * Bytes that an explicit VR element header occupies: 8 (16 bit length), 12 (two reserved bytes, 32 bit length), or 0
 * if the VR cannot be one. A VR yet to be invented has the long form (PS3.5 section 7.1.2); writers of old gave their
 * own VRs the short one, which shows by a length where the reserved zeros should be.
 */
export function explicitHeaderSize(vr: VrCode, reserved: number): 0 | 8 | 12 {
  const form = forms[vr];
  if (form === SHORT) return 8;
  if (form === LONG) return 12;
  if (!isUpperCaseLetter(vr >> 8) || !isUpperCaseLetter(vr & 0xff)) return 0;
  return reserved === 0 ? 12 : 8;
}

const FRAGMENTABLE = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'OV'].map(vrCode));

/** Whether an undefined length means encapsulated fragments rather than a sequence (PS3.5 annex A.4). */
export function mayBeEncapsulated(vr: VrCode): boolean {
  return FRAGMENTABLE.has(vr);
}
