/** The text is no JSON object that every parser reads alike, or the large member is not a plain string. */
export class MalformedObject extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedObject';
  }
}

/** Longest text of everything but the large member, in bytes. */
const REST_LIMIT = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPENING = [0x7b, 0x5b];
const CLOSING = [0x7d, 0x5d];

/**
 * Takes one string member of a JSON object (RFC 8259) out of it as it streams, so that it is never held as text: its
 * characters go to `onText`, piece by piece, and in `rest` an empty string stands in its place. The rest is small, and
 * `JSON.parse` judges it.
 *
 * The member's characters must stand for themselves; of the escapes only `\/` may occur, which some encoders write for
 * every slash. The object's names must differ, and be written without escapes: of two members of one name some parsers
 * take the first and some the last (RFC 8259, section 4), and who looks at the text would see another document than who
 * parses it. What else is wrong with the text shows in the rest.
 */
export class LargeMemberReader {
  private readonly kept: Uint8Array[] = [];
  private keptBytes = 0;
  private depth = 0;
  /** Whether the next string at depth 1 is a name. */
  private expectsName = false;
  private string: 'none' | 'name' | 'value' | 'large' = 'none';
  private escaped = false;
  /** Bytes of the name at hand, and that name once it is complete. */
  private nameBytes: number[] = [];
  private name = '';
  private readonly names = new Set<string>();

  /** @param name of the member at the top level; ASCII */
  constructor(
    private readonly memberName: string,
    private readonly onText: (text: string) => void,
  ) {}

  /** @throws {MalformedObject}, and what `onText` throws */
  write(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < bytes.length;) {
      if (this.string === 'large') {
        from = this.readLarge(bytes, at);
        at = from + 1; // behind its closing quote, which is kept with what follows
      } else if (this.opensLarge(bytes[at++]!)) this.keep(bytes.subarray(from, at));
    }
    if (this.string !== 'large') this.keep(bytes.subarray(from));
  }

  /** Everything but the member's text. @throws {MalformedObject} */
  end(): string {
    return Buffer.concat(this.kept, this.keptBytes).toString('utf8');
  }

  /** Reads one byte outside of the large member. */
  private opensLarge(byte: number): boolean {
    if (this.string !== 'none') return this.readString(byte);
    if (byte === QUOTE) {
      const isName = this.depth === 1 && this.expectsName;
      if (!isName && this.depth === 1 && this.isWanted()) {
        this.string = 'large';
        return true;
      }
      this.string = isName ? 'name' : 'value';
      this.nameBytes = [];
    } else if (OPENING.includes(byte)) {
      this.expectsName = ++this.depth === 1;
    } else if (CLOSING.includes(byte)) this.depth--;
    else if (byte === COLON) this.expectsName = false;
    else if (byte === COMMA && this.depth === 1) {
      this.expectsName = true;
      this.name = '';
    }
    return false;
  }

  private readString(byte: number): false {
    const isName = this.string === 'name';
    if (this.escaped) this.escaped = false;
    else if (byte === BACKSLASH) {
      if (isName) throw new MalformedObject('a name holds an escape');
      this.escaped = true;
    } else if (byte === QUOTE) {
      if (isName) this.endName();
      this.string = 'none';
    } else if (isName) this.nameBytes.push(byte);
    return false;
  }

  /** Compared as the rest is decoded: bytes that are no UTF-8 become one character. */
  private endName(): void {
    this.name = Buffer.from(this.nameBytes).toString('utf8');
    if (this.names.has(this.name)) throw new MalformedObject('a name is given twice');
    this.names.add(this.name);
  }

  private isWanted(): boolean {
    return !this.expectsName && this.name === this.memberName;
  }

  /** The large member's characters from `at` on; returns where they end, at its closing quote or behind the bytes. */
  private readLarge(bytes: Uint8Array, at: number): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const quote = text.indexOf(QUOTE, at); // no escaped one may occur
    const end = quote < 0 ? bytes.length : quote;
    this.unescape(text.subarray(at, end), quote >= 0);
    if (quote >= 0) this.string = 'none';
    return end;
  }

  private unescape(piece: Buffer, last: boolean): void {
    let from = 0;
    if (this.escaped && piece.length > 0) {
      if (piece[0] !== SLASH) throw this.strange();
      this.escaped = false;
    }
    for (let at = piece.indexOf(BACKSLASH); at >= 0; at = piece.indexOf(BACKSLASH, from)) {
      if (at > from) this.onText(piece.toString('latin1', from, at));
      from = at + 1;
      if (from === piece.length) this.escaped = true;
      else if (piece[from] !== SLASH) throw this.strange();
    }
    if (from < piece.length) this.onText(piece.toString('latin1', from));
    if (last && this.escaped) throw this.strange();
  }

  private strange(): MalformedObject {
    return new MalformedObject(`${this.memberName} holds an escape other than \\/`);
  }

  private keep(bytes: Uint8Array): void {
    this.keptBytes += bytes.length;
    if (this.keptBytes > REST_LIMIT) throw new MalformedObject(`too much besides ${this.memberName}`);
    if (bytes.length > 0) this.kept.push(Uint8Array.from(bytes)); // a copy: the piece is used again
  }
}
