import type { IncomingMessage } from 'node:http';
import { S3Error } from './s3-error.js';
import { type XmlNode, childText, childTexts, xmlElement } from './xml.js';

export interface CorsRule {
  id?: string;
  origins: string[];
  methods: string[];
  headers: string[];
  exposed: string[];
  maxAge?: number;
}

const METHODS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);

/** Reads a CORSConfiguration. @throws S3Error MalformedXML, InvalidRequest */
export function parseCors(root: XmlNode): CorsRule[] {
  const rules = (root.children.get('CORSRule') ?? []).map((node): CorsRule => {
    const id = childText(node, 'ID');
    const maxAge = childText(node, 'MaxAgeSeconds');
    const rule: CorsRule = {
      ...(id !== undefined && { id }),
      origins: childTexts(node, 'AllowedOrigin'),
      methods: childTexts(node, 'AllowedMethod'),
      headers: childTexts(node, 'AllowedHeader'),
      exposed: childTexts(node, 'ExposeHeader'),
      ...(maxAge !== undefined && { maxAge: Number(maxAge) }),
    };
    if (rule.origins.length === 0 || rule.methods.length === 0) throw new S3Error('MalformedXML');
    if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) throw new S3Error('MalformedXML');
    if (rule.methods.some((method) => !METHODS.has(method))) {
      throw new S3Error('InvalidRequest', 'Found unsupported HTTP method in CORS config.');
    }
    const patterns = [...rule.origins, ...rule.headers];
    if (patterns.some((pattern) => pattern.split('*').length > 2)) {
      throw new S3Error('InvalidRequest', 'A CORS pattern can not have more than one wildcard.');
    }
    if (rule.exposed.some((name) => !/^[A-Za-z0-9-]+$/.test(name))) throw new S3Error('InvalidRequest');
    return rule;
  });
  if (rules.length === 0 || rules.length > 100) throw new S3Error('MalformedXML');
  return rules;
}

export function corsToXml(rules: readonly CorsRule[]): string {
  return rules
    .map(
      (rule) =>
        '<CORSRule>' +
        xmlElement('ID', rule.id) +
        rule.origins.map((origin) => xmlElement('AllowedOrigin', origin)).join('') +
        rule.methods.map((method) => xmlElement('AllowedMethod', method)).join('') +
        rule.headers.map((name) => xmlElement('AllowedHeader', name)).join('') +
        rule.exposed.map((name) => xmlElement('ExposeHeader', name)).join('') +
        xmlElement('MaxAgeSeconds', rule.maxAge) +
        '</CORSRule>',
    )
    .join('');
}

function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  const tail = pattern.slice(star + 1);
  return text.length >= pattern.length - 1 && text.startsWith(pattern.slice(0, star)) && text.endsWith(tail);
}

/**
 * The CORS headers of an answer: of a preflight when its method is asked for by Access-Control-Request-Method, else of
 * the request itself. Undefined when no rule allows it (S3 "How does Amazon S3 evaluate the CORS configuration").
 */
export function corsHeaders(
  rules: readonly CorsRule[],
  incoming: IncomingMessage,
  preflight: boolean,
): Record<string, string> | undefined {
  const origin = incoming.headers.origin;
  if (origin === undefined) return undefined;
  const method = preflight ? incoming.headers['access-control-request-method'] : incoming.method;
  const asked = preflight
    ? (incoming.headers['access-control-request-headers'] ?? '')
        .split(',')
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== '')
    : [];
  for (const rule of rules) {
    const allowedOrigin = rule.origins.find((pattern) => matches(pattern, origin));
    if (allowedOrigin === undefined || !rule.methods.includes(method ?? '')) continue;
    if (!asked.every((name) => rule.headers.some((pattern) => matches(pattern.toLowerCase(), name))))
      continue;
    return {
      'access-control-allow-origin': allowedOrigin === '*' ? '*' : origin,
      'access-control-allow-methods': rule.methods.join(', '),
      ...(asked.length > 0 && { 'access-control-allow-headers': asked.join(', ') }),
      ...(rule.exposed.length > 0 && { 'access-control-expose-headers': rule.exposed.join(', ') }),
      ...(preflight && rule.maxAge !== undefined && { 'access-control-max-age': String(rule.maxAge) }),
      ...(allowedOrigin !== '*' && { 'access-control-allow-credentials': 'true' }),
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    };
  }
  return undefined;
}
