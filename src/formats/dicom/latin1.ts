/** Bytes as text, one character each: for the ASCII that DICOM writes its codes, UIDs and numbers in. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
