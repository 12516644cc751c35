import type { DocumentFailure } from './rules.js';

/** UTF-8 as it streams (RFC 3629), a byte order mark left out. */
export class Utf8Text {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private failure: DocumentFailure | undefined;

  /** @param forbidden characters that the text may not hold */
  constructor(private readonly forbidden?: RegExp) {}

  /** The characters that are complete; none after a failure. */
  decode(bytes?: Uint8Array): string {
    if (this.failure) return '';
    try {
      const text = this.decoder.decode(bytes, { stream: bytes !== undefined });
      if (!this.forbidden?.test(text)) return text;
    } catch {
      // said below
    }
    this.failure = { rule: 'text.encoding' };
    return '';
  }

  /** What was wrong, once all has been decoded. */
  end(): DocumentFailure | undefined {
    this.decode();
    return this.failure;
  }
}
