import sax from 'sax';
import { type DocumentFailure, type DocumentReader, MAX_ATTRIBUTES, MAX_DEPTH } from './rules.js';
import { Utf8Text } from './utf8-text.js';

/** What the parser is given at a time, in characters: its limit on a token's length must not depend on the network. */
const PIECE = 16 * 1024;
/** What is no character of XML 1.0 (section 2.2). */
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const ENCODINGS = /^(utf-?8|us-ascii)$/i;

/**
 * Well-formed XML 1.0 in UTF-8, without a document type declaration. The parser keeps at most 64 KiB of any token but
 * text. A second root and sections outside of the root, which it lets pass, are refused here.
 */
export class XmlReader implements DocumentReader {
  private readonly text = new Utf8Text(FORBIDDEN);
  private readonly parser = sax.parser(true, { position: true });
  private pending = '';
  private depth = 0;
  private roots = 0;
  /** Of the element at hand. */
  private attributes = 0;
  private failure: DocumentFailure | undefined;

  constructor() {
    const { parser } = this;
    parser.onerror = ({ message }) => {
      this.fail(message.startsWith('Max buffer length') ? 'document.too-complex' : 'type.mismatch');
      parser.error = null as never; // it would throw it at the next piece
    };
    parser.ondoctype = () => this.fail('xml.doctype');
    parser.onopentagstart = () => this.open();
    parser.onattribute = () => {
      if (++this.attributes > MAX_ATTRIBUTES) this.fail('document.too-complex');
    };
    parser.onclosetag = () => this.depth--;
    parser.onopencdata = () => {
      if (this.depth === 0) this.fail('type.mismatch');
    };
    parser.onprocessinginstruction = ({ name, body }) => {
      if (name.toLowerCase() !== 'xml') return;
      const encoding = /\bencoding\s*=\s*["']([^"']*)["']/.exec(body)?.[1];
      if (encoding && !ENCODINGS.test(encoding)) this.fail('text.encoding');
      if (this.roots > 0) this.fail('type.mismatch'); // a declaration behind what it declares
    };
  }

  write(bytes: Uint8Array): void {
    if (this.failure) return;
    this.pending += this.text.decode(bytes);
    let from = 0;
    for (; this.pending.length - from >= PIECE && !this.failure; from += PIECE)
      this.parser.write(this.pending.slice(from, from + PIECE));
    this.pending = this.pending.slice(from);
  }

  end(): DocumentFailure | undefined {
    const objection = this.text.end();
    if (!this.failure && !objection) this.parser.write(this.pending).close();
    if (this.roots !== 1) this.fail('type.mismatch');
    return objection && this.failure?.rule !== 'xml.doctype' ? objection : this.failure;
  }

  private open(): void {
    this.attributes = 0;
    if (this.depth++ === 0) this.roots++;
    if (this.roots > 1) this.fail('type.mismatch');
    if (this.depth > MAX_DEPTH) this.fail('document.too-complex');
  }

  private fail(rule: DocumentFailure['rule']): void {
    this.failure ??= { rule, where: `line ${this.parser.line + 1}` };
  }
}
