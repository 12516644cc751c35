/** Up to this length a call with all bytes as arguments is several times faster than making a Buffer first. */
const SHORT = 256;

/** Bytes as text, one character each: for the ASCII that DICOM writes its codes, UIDs and numbers in. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length <= SHORT) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
