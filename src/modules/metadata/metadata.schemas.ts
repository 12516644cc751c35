import { z } from 'zod';
import { identifiesSomebody } from './confidentiality.js';
import { type MetadataPatch, type MetadataProblem, readPatch } from './metadata-patch.js';
import { nameAttribute } from './overlayable.js';

/** Longer ones belong in a body: proxies cut or refuse them. */
const MAX_QUERY_CHARACTERS = 4096;
const MAX_REQUIRED = 100;

/** The body of a change, and of a new order: a JSON Merge Patch (RFC 7396) by keyword or tag. */
export const metadataPatchSchema = z
  .record(z.string(), z.unknown(), 'must be a JSON object')
  .describe(
    'DICOM attributes by keyword (PatientName) or tag (00100010): text, a number or a list; null removes a value',
  )
  .transform((input, context): MetadataPatch => {
    const { patch, problems } = readPatch(input);
    problems.forEach((problem) => addProblem(context, problem));
    return patch;
  });

/** The same as JSON in a query. Queries end up in the logs of proxies: what identifies somebody is refused there. */
export const metadataQuerySchema = z
  .string()
  .max(MAX_QUERY_CHARACTERS, `must have at most ${MAX_QUERY_CHARACTERS} characters: use POST`)
  .describe('JSON object of DICOM attributes that identify nobody; others only in the body of a POST')
  .transform((text, context): MetadataPatch => {
    const { patch, problems } = readPatch(parseJson(text));
    const refused = new Set(Object.keys(patch).filter(identifiesSomebody));
    for (const path of refused)
      addProblem(context, { path, message: 'can identify somebody, and a query is logged: use POST' });
    problems
      .filter(({ keyword }) => keyword === undefined || !refused.has(keyword))
      .forEach((problem) => addProblem(context, problem));
    return patch;
  });

/** What every order of an organization must have, by keyword or tag; kept by keyword, each once. */
export const requiredMetadataSchema = z
  .array(z.string())
  .max(MAX_REQUIRED, `must name at most ${MAX_REQUIRED} attributes`)
  .transform((names, context): string[] => {
    const keywords = names.map((name, index) => {
      const named = nameAttribute(name);
      if (named.element !== undefined) return named.element.keyword;
      context.addIssue({ code: 'custom', path: [index], message: named.problem });
      return name;
    });
    return [...new Set(keywords)];
  });

function addProblem(context: z.RefinementCtx, { path, message }: MetadataProblem): void {
  context.addIssue({ code: 'custom', path: path === '' ? [] : [path], message });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
