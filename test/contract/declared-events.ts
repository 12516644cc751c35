import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const SOURCE = path.resolve(import.meta.dirname, '../../src');

/** What the source says of events, found by reading it: whoever adds one need not tell anybody. */
export interface DeclaredEvents {
  /** Actions that some event is written of by name. */
  named: Set<string>;
  /** Actions whose detail has a type (the members of `AuditDetails`). */
  detailed: Set<string>;
  /** Those of the named whose actor is the system itself. */
  ofSystem: Set<string>;
  /** Classes that act without being asked: chores, job handlers and processors. */
  doers: Set<string>;
}

const DOERS = ['Chore', 'JobHandler', 'JobProcessor', 'SurfaceListener'];

/** As an expression: one of the constants for it, or a literal of that kind. */
const isSystem = (actor: string): boolean =>
  /^(OPERATOR|WORKER|SYSTEM)$/.test(actor) || /kind: 'system'/.test(actor);

export function declaredEvents(): DeclaredEvents {
  const found: DeclaredEvents = {
    named: new Set(),
    detailed: new Set(),
    ofSystem: new Set(),
    doers: new Set(),
  };
  for (const file of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || /\.spec\.ts$|^generated|^demo/.test(file)) continue;
    const text = readFileSync(path.join(SOURCE, file), 'utf8');
    visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), found);
  }
  return found;
}

function visit(node: ts.Node, found: DeclaredEvents): void {
  if (ts.isObjectLiteralExpression(node)) noteEvent(node, found);
  if (ts.isInterfaceDeclaration(node) && node.name.text === 'AuditDetails')
    for (const { name } of node.members) if (name && ts.isStringLiteral(name)) found.detailed.add(name.text);
  if (ts.isClassDeclaration(node) && node.name && !isAbstract(node))
    for (const { types } of node.heritageClauses ?? [])
      if (types.some(({ expression }) => DOERS.includes(expression.getText())))
        found.doers.add(node.name.text);
  ts.forEachChild(node, (child) => visit(child, found));
}

function noteEvent(node: ts.ObjectLiteralExpression, found: DeclaredEvents): void {
  const valueOf = (name: string): ts.Expression | undefined =>
    node.properties.filter(ts.isPropertyAssignment).find((property) => property.name.getText() === name)
      ?.initializer;
  const actions = literalsOf(valueOf('action')).filter((action) => /^[a-z-]+:[a-z-]+$/.test(action));
  const actor = valueOf('actor')?.getText() ?? '';
  for (const action of actions) {
    found.named.add(action);
    if (isSystem(actor)) found.ofSystem.add(action);
  }
}

/** Both sides of a choice. */
function literalsOf(expression: ts.Expression | undefined): string[] {
  if (!expression) return [];
  if (ts.isStringLiteral(expression)) return [expression.text];
  if (ts.isConditionalExpression(expression))
    return [...literalsOf(expression.whenTrue), ...literalsOf(expression.whenFalse)];
  return [];
}

const isAbstract = (node: ts.ClassDeclaration): boolean =>
  node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AbstractKeyword) ?? false;
