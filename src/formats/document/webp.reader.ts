import { type DocumentRule, MAX_PARTS } from './rules.js';
import { type Parse, StreamParser } from './stream-parser.js';

const FIRST = ['VP8 ', 'VP8L', 'VP8X'];
/** What holds pixels: a frame, or one of an animation. */
const PIXELS = ['VP8 ', 'VP8L', 'ANMF'];

/** A WebP chunk by chunk (RFC 9649, section 2): a RIFF file of the size it says, that begins as an image and has one. */
export class WebpReader extends StreamParser {
  protected *parse(): Parse<DocumentRule | undefined> {
    const head = yield* this.take(12);
    if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8) !== 'WEBP')
      return 'type.mismatch';
    const end = 8 + head.readUInt32LE(4);
    let [chunks, hasPixels] = [0, false];
    while (this.position < end) {
      if (chunks === MAX_PARTS) return 'document.too-complex';
      const chunk = yield* this.take(8);
      if (chunk.length < 8) return 'type.mismatch';
      const type = chunk.toString('latin1', 0, 4);
      const bytes = chunk.readUInt32LE(4);
      if (this.position + bytes > end || (chunks++ === 0 && !FIRST.includes(type))) return 'type.mismatch';
      if (!(yield* this.skip(bytes))) return 'type.mismatch';
      hasPixels ||= PIXELS.includes(type) && bytes > 0;
      if (bytes % 2 === 1 && this.position < end && (yield* this.take(1)).length === 0)
        return 'type.mismatch';
    }
    // Some programs leave the padding of the last chunk out of the size.
    const behind = yield* this.take(2);
    return hasPixels && behind.length < 2 && (behind[0] ?? 0) === 0 ? undefined : 'type.mismatch';
  }
}
