import { describe, expect, it } from '@jest/globals';

import { elementsFrom, writeDicom } from '../dicom/write.js';
import { sniff } from './sniff.js';

const elements = elementsFrom({ SOPInstanceUID: '1.2' });

function nifti(magic: string, at: number): Uint8Array {
  const bytes = Buffer.alloc(540);
  bytes.write(magic, at, 'latin1');
  return bytes;
}

describe('sniff', () => {
  it.each([
    ['dicom', writeDicom({ elements })],
    ['dicom', writeDicom({ elements, preamble: null })],
    ['dicom', writeDicom({ elements, preamble: Buffer.alloc(128, 'PK\x03\x04') })],
    ['zip', Buffer.from('PK\x03\x04etc', 'latin1')],
    ['zip', Buffer.from('PK\x05\x06', 'latin1')],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8)],
    ['nifti', nifti('n+1\0', 344)],
    ['nifti', nifti('n+2\0', 4)],
    ['unknown', Buffer.from('PK is not always an archive')],
    ['unknown', Buffer.from('some text')],
    ['unknown', new Uint8Array(0)],
  ])('%s', (kind, head) => {
    expect(sniff(head)).toBe(kind);
  });
});
