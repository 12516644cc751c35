import type { DocumentFailure, DocumentReader } from './rules.js';
import { Utf8Text } from './utf8-text.js';

/** Plain text: UTF-8 without a NUL, which many programs take for its end. */
export class TextReader implements DocumentReader {
  private readonly text = new Utf8Text(/\0/);

  write(bytes: Uint8Array): void {
    this.text.decode(bytes);
  }

  end(): DocumentFailure | undefined {
    return this.text.end();
  }
}
