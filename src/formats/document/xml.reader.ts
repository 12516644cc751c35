import sax from 'sax';
import {
  type DocumentFailure,
  type DocumentReader,
  MAX_ATTRIBUTES,
  MAX_DEPTH,
  MAX_MARKUP,
  MAX_PARTS,
} from './rules.js';
import { Utf8Text } from './utf8-text.js';

/** What the parser is given at a time, in characters: its limit on a token's length must not depend on the network. */
const PIECE = 16 * 1024;
/** What is no character of XML 1.0 (section 2.2). */
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const ENCODINGS = /^(utf-?8|us-ascii)$/i;

/** What its types leave out. */
interface Parser extends sax.SAXParser {
  /** The value of the attribute at hand, as far as it has come. */
  attribValue: string;
  /** The place in the document where the lengths of tokens are checked next. */
  bufferCheckPosition: number;
}

/** A vocabulary that a document has to be of. */
interface Vocabulary {
  /** Local name of the root element. */
  readonly root: string;
  readonly namespace: string;
}

/** SVG 1.1 and 2. */
export const SVG: Vocabulary = { root: 'svg', namespace: 'http://www.w3.org/2000/svg' };

/**
 * Well-formed XML 1.0 in UTF-8, without a document type declaration. The parser keeps at most 64 KiB of any token but
 * text. A second root and sections outside of the root, which it lets pass, are refused here.
 *
 * A document of a vocabulary may name the DTD it has always had, which nobody here loads, but declare nothing itself; and
 * an attribute may be of any length, since drawings have whole images in them.
 */
export class XmlReader implements DocumentReader {
  private readonly text = new Utf8Text(FORBIDDEN);
  private readonly parser = sax.parser(true, { position: true }) as Parser;
  private pending = '';
  private depth = 0;
  private roots = 0;
  /** Of the element at hand. */
  private attributes = 0;
  /** Elements, attributes, comments, instructions, sections and references: each costs the parser far more than its text. */
  private parts = 0;
  private failure: DocumentFailure | undefined;

  constructor(private readonly vocabulary?: Vocabulary) {
    const { parser } = this;
    parser.onerror = ({ message }) => {
      parser.error = null as never; // it would throw it at the next piece
      if (vocabulary && message.startsWith('Max buffer length exceeded: attribValue'))
        parser.attribValue = '';
      else this.fail(message.startsWith('Max buffer length') ? 'document.too-complex' : 'type.mismatch');
    };
    parser.ondoctype = (doctype) => this.declare(doctype);
    parser.onopentagstart = () => this.open();
    if (vocabulary) parser.onopentag = ({ name, attributes }) => this.expect(name, attributes);
    parser.onattribute = () => {
      this.count();
      if (++this.attributes > MAX_ATTRIBUTES) this.fail('document.too-complex');
    };
    parser.onclosetag = () => this.depth--;
    parser.oncomment = () => this.count(); // it keeps empty ones to itself, and they cost no more than text
    parser.onopencdata = () => {
      this.count();
      if (this.depth === 0) this.fail('type.mismatch');
    };
    parser.onprocessinginstruction = ({ name, body }) => {
      this.count();
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
      this.parse(this.pending.slice(from, from + PIECE));
    if (this.vocabulary && this.parser.position > MAX_MARKUP) this.fail('document.too-complex');
    this.pending = this.pending.slice(from);
  }

  end(): DocumentFailure | undefined {
    const objection = this.text.end();
    if (!this.failure && !objection) this.parse(this.pending).close();
    if (this.roots !== 1) this.fail('type.mismatch');
    return objection && this.failure?.rule !== 'xml.doctype' ? objection : this.failure;
  }

  private parse(piece: string): sax.SAXParser {
    // Once there was a DTD the parser takes its length for a number, and would never check lengths again.
    if (Number.isNaN(this.parser.bufferCheckPosition)) this.parser.bufferCheckPosition = 0;
    for (let at = piece.indexOf('&'); at >= 0; at = piece.indexOf('&', at + 1)) this.count();
    return this.parser.write(piece);
  }

  private declare(doctype: unknown): void {
    const { vocabulary } = this;
    const [name] = String(doctype).trim().split(/\s/, 1);
    if (!vocabulary || localName(name!) !== vocabulary.root || String(doctype).includes('['))
      this.fail('xml.doctype');
  }

  /** The root, by its expanded name (Namespaces in XML 1.0, section 2.1). */
  private expect(name: string, attributes: sax.Tag['attributes'] | sax.QualifiedTag['attributes']): void {
    const { root, namespace } = this.vocabulary!;
    if (this.depth > 1) return;
    const local = localName(name);
    const declaration = local === name ? 'xmlns' : `xmlns:${name.slice(0, -local.length - 1)}`;
    if (local !== root || attributes[declaration] !== namespace) this.fail('type.mismatch');
  }

  private open(): void {
    this.attributes = 0;
    this.count();
    if (this.depth++ === 0) this.roots++;
    if (this.roots > 1) this.fail('type.mismatch');
    if (this.depth > MAX_DEPTH) this.fail('document.too-complex');
  }

  private count(): void {
    if (++this.parts > MAX_PARTS) this.fail('document.too-complex');
  }

  private fail(rule: DocumentFailure['rule']): void {
    this.failure ??= { rule, where: `line ${this.parser.line + 1}` };
  }
}

const localName = (name: string): string => name.slice(name.indexOf(':') + 1);
