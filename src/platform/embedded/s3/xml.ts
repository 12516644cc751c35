import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3Error } from './s3-error.js';

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

const NAMED: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Escapes text for XML; control characters become references, as S3 itself writes them for such keys. */
export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"'\u0000-\u001f\u007f]/g,
    (character) => NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16)};`,
  );
}

/** `<name>text</name>`, or nothing when there is no value. */
export function xmlElement(name: string, value: string | number | boolean | undefined): string {
  return value === undefined ? '' : `<${name}>${escapeXml(String(value))}</${name}>`;
}

/** Puts the XML declaration before a finished element. */
export function xmlDocument(element: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element}`;
}

/** A parsed element: its children by name (always arrays) and its text. */
export interface XmlNode {
  children: Map<string, XmlNode[]>;
  text: string;
}

// Entities are decoded below, one pass over the five XML names and numeric references, so that no document can define
// or nest its own; the parser gives order and nesting only.
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  removeNSPrefix: true,
});

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&([^;]{0,12});?/g, (whole, name: string) => {
    const numeric = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
    const code = numeric ? (numeric[1] ? parseInt(numeric[1], 16) : parseInt(numeric[2] ?? '', 10)) : NaN;
    const value = code <= 0x10ffff ? String.fromCodePoint(code) : ENTITIES[name];
    if (value === undefined || !whole.endsWith(';')) throw new S3Error('MalformedXML');
    return value;
  });
}

function toNode(items: Record<string, unknown>[]): XmlNode {
  const node: XmlNode = { children: new Map(), text: '' };
  for (const item of items) {
    for (const [name, value] of Object.entries(item)) {
      if (name === ':@') continue;
      if (name === '#text') node.text += decodeEntities(String(value));
      else {
        const child = toNode(value as Record<string, unknown>[]);
        node.children.set(name, [...(node.children.get(name) ?? []), child]);
      }
    }
  }
  return node;
}

/**
 * Parses a request document with the given root element. Namespaces and attributes are ignored.
 * @throws S3Error MalformedXML, also for any document type declaration.
 */
export function parseXml(text: string, root: string): XmlNode {
  if (/<!/.test(text) || XMLValidator.validate(text) !== true) throw new S3Error('MalformedXML');
  const top = toNode(parser.parse(text) as Record<string, unknown>[]).children;
  const found = top.get(root);
  if (top.size !== 1 || found?.length !== 1) throw new S3Error('MalformedXML');
  return found[0]!;
}

/** Text of the only child of that name; undefined when absent, MalformedXML when repeated. */
export function childText(node: XmlNode, name: string): string | undefined {
  const found = node.children.get(name);
  if (found && found.length > 1) throw new S3Error('MalformedXML');
  return found?.[0]?.text;
}

/** All texts of the children of that name. */
export function childTexts(node: XmlNode, name: string): string[] {
  return (node.children.get(name) ?? []).map((child) => child.text);
}
