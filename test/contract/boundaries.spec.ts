import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = path.resolve(import.meta.dirname, '../..');
const CONFIG = '.dependency-cruiser.cjs';
const CLI = path.join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Cruise {
  modules: { source: string }[];
  summary: {
    totalCruised: number;
    totalDependenciesCruised: number;
    violations: { from: string; to: string; rule: { name: string; severity: string } }[];
  };
}

/** Cruises the folders as `npm run check` does, in a process of its own. */
function cruise(cwd: string, folders: string[]): Cruise {
  const args = [CLI, '--config', CONFIG, '--output-type', 'json', ...folders];
  const result = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (!result.stdout.startsWith('{')) throw new Error(result.stdout + result.stderr);
  return JSON.parse(result.stdout) as Cruise;
}

/** A value import, a type import, a re-export and a dynamic import must all count. */
const imports = {
  value: (from: string) => `import { x } from '${from}';\nexport const y = x;\n`,
  type: (from: string) => `import type { x } from '${from}';\nexport type Y = typeof x;\n`,
  reexport: (from: string) => `export { x } from '${from}';\n`,
  dynamic: (from: string) => `export const y = import('${from}');\n`,
};

interface Planted {
  rule: string | string[];
  file: string;
  to: string;
  how?: keyof typeof imports;
}

/** What one surface needs of another. */
const ALSO: Record<string, string> = { exams: 'sharing', cases: 'inspect' };
const SURFACES = [
  'exams',
  'ingestion',
  'inspect',
  'cases',
  'results',
  'sharing',
  'webhooks',
  'dicomweb',
  'tenants',
  'reports',
];
const STEPS = [
  ['audit'],
  ['auth'],
  ['access'],
  ['events'],
  ['orders', 'metadata'],
  ['uploads'],
  ['studies'],
  SURFACES,
];
const of = (module: string) => `src/modules/${module}/${module}.service.ts`;

/** Every import of one module by another that the order of the steps does not allow. */
const AGAINST_THE_WAY: Planted[] = STEPS.flatMap((step, index) =>
  step.flatMap((module) =>
    [...step.filter((other) => other !== module), ...STEPS.slice(index + 1).flat()]
      .filter((other) => ALSO[module] !== other)
      .map((other) => ({
        rule: `one-way-${module}`,
        file: `src/modules/${module}/needs-${other}.ts`,
        to: of(other),
      })),
  ),
);

const PLANTED: Planted[] = [
  ...AGAINST_THE_WAY,
  { rule: 'one-way-audit', file: 'src/modules/audit/type.ts', to: of('exams'), how: 'type' },
  { rule: 'one-way-audit', file: 'src/modules/audit/reexport.ts', to: of('exams'), how: 'reexport' },
  { rule: 'one-way-audit', file: 'src/modules/audit/dynamic.ts', to: of('exams'), how: 'dynamic' },
  { rule: 'known-modules', file: 'src/modules/newcomer/newcomer.service.ts', to: of('audit') },
  { rule: 'formats-are-pure', file: 'src/formats/dicom/up.ts', to: 'src/platform/clock/clock.ts' },
  { rule: 'formats-are-pure', file: 'src/formats/dicom/module.ts', to: of('audit'), how: 'type' },
  { rule: 'formats-are-pure', file: 'src/formats/dicom/nest.ts', to: '@nestjs/common' },
  { rule: 'platform-knows-no-business', file: 'src/platform/clock/up.ts', to: of('audit') },
  {
    rule: 'private-rooms',
    file: 'src/modules/exams/down.ts',
    to: 'src/modules/exams/http/exams.controller.ts',
  },
  { rule: 'private-rooms', file: 'src/worker.ts', to: 'src/modules/uploads/worker/verify.processor.ts' },
  {
    rule: 'private-rooms-of-others',
    file: 'src/modules/uploads/http/crosses.ts',
    to: 'src/modules/uploads/worker/verify.processor.ts',
  },
  {
    rule: 'private-rooms-of-others',
    file: 'src/modules/uploads/worker/crosses.ts',
    to: 'src/modules/uploads/http/uploads.controller.ts',
  },
  {
    rule: 'private-rooms-of-others',
    file: 'src/modules/exams/http/borrows.ts',
    to: 'src/modules/uploads/http/uploads.controller.ts',
  },
  {
    rule: ['nobody-imports-compositions', 'platform-knows-no-business'],
    file: 'src/platform/clock/composition.ts',
    to: 'src/api.module.ts',
  },
  { rule: 'nobody-imports-commands', file: 'src/api.ts', to: 'src/demo/demo.ts' },
  { rule: 'nobody-imports-commands', file: 'src/operator.ts', to: 'src/commands/start.command.ts' },
  { rule: 'nobody-imports-commands', file: 'src/documentation.ts', to: 'src/main.ts' },
  { rule: 'no-circular', file: 'src/platform/clock/one.ts', to: 'src/platform/clock/two.ts', how: 'type' },
  {
    rule: 'no-barrels',
    file: 'src/modules/studies/index.ts',
    to: of('studies'),
    how: 'reexport',
  },
  { rule: 'no-common', file: 'src/platform/clock/vague.ts', to: 'src/platform/common/things.ts' },
  { rule: 'no-common', file: 'src/platform/clock/vaguer.ts', to: 'src/platform/utils.ts' },
  {
    rule: 'generated-by-its-client',
    file: 'src/platform/clock/inside.ts',
    to: 'src/generated/prisma/internal/class.ts',
  },
  { rule: 'no-dev-dependencies', file: 'src/platform/clock/dev.ts', to: 'only-for-development' },
  { rule: 'no-undeclared-packages', file: 'src/platform/clock/undeclared.ts', to: 'somebody-elses' },
  { rule: 'no-unresolvable', file: 'src/platform/clock/gone.ts', to: './not-there.js' },
  { rule: 'no-unresolvable', file: 'src/platform/clock/not-installed.ts', to: 'not-installed' },
  {
    rule: 'no-tests-in-product',
    file: 'src/platform/clock/fixture.ts',
    to: 'src/platform/clock/clock.fixture.ts',
  },
];

/** What is allowed and must not be reported. */
const ALLOWED: Omit<Planted, 'rule'>[] = [
  // The way back of the planted circle, which is reported once.
  { file: 'src/platform/clock/two.ts', to: 'src/platform/clock/one.ts', how: 'type' },
  ...STEPS.flatMap((step, index) =>
    step.flatMap((module) =>
      STEPS.slice(0, index)
        .flat()
        .map((other) => ({ file: `src/modules/${module}/may-need-${other}.ts`, to: of(other) })),
    ),
  ),
  { file: 'src/modules/exams/shares.ts', to: of('sharing') },
  { file: 'src/modules/cases/inspects.ts', to: of('inspect') },
  { file: 'src/modules/exams/reads.ts', to: 'src/formats/dicom/tag.ts' },
  { file: 'src/modules/exams/stores.ts', to: 'src/generated/prisma/client.ts' },
  { file: 'src/modules/exams/http/exams-http.module.ts', to: 'src/modules/exams/http/exams.controller.ts' },
  { file: 'src/modules/exams/http/serves.ts', to: of('uploads') },
  { file: 'src/worker.module.ts', to: 'src/modules/uploads/worker/verify.processor.ts' },
  { file: 'src/platform/clock/clock.spec.ts', to: 'only-for-development' },
  { file: 'src/platform/clock/tested.spec.ts', to: 'src/platform/clock/clock.fixture.ts' },
  { file: 'src/platform/clock/runs.ts', to: 'for-production' },
];

const TARGETS = [
  ...STEPS.flat().map(of),
  'src/formats/dicom/tag.ts',
  'src/platform/clock/clock.ts',
  'src/platform/clock/clock.fixture.ts',
  'src/platform/common/things.ts',
  'src/platform/utils.ts',
  'src/modules/exams/http/exams.controller.ts',
  'src/modules/uploads/http/uploads.controller.ts',
  'src/modules/uploads/worker/verify.processor.ts',
  'src/api.module.ts',
  'src/main.ts',
  'src/demo/demo.ts',
  'src/commands/start.command.ts',
  'src/generated/prisma/client.ts',
  'src/generated/prisma/internal/class.ts',
];

/** How `file` writes an import of `to`: a path of the tree becomes relative, a package stays as it is. */
function specifier(file: string, to: string): string {
  if (!to.startsWith('src/')) return to;
  const relative = path.posix.relative(path.posix.dirname(file), to).replace(/\.ts$/, '.js');
  return relative.startsWith('.') ? relative : `./${relative}`;
}

describe('module boundaries', () => {
  let tree: string;
  let planted: Cruise;

  const write = (file: string, text: string) => {
    mkdirSync(path.join(tree, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(tree, file), text);
  };

  beforeAll(() => {
    tree = mkdtempSync(path.join(tmpdir(), 'scandock-boundaries-'));
    for (const file of [CONFIG, 'tsconfig.json']) cpSync(path.join(ROOT, file), path.join(tree, file));
    const dependencies = { 'for-production': '1.0.0', '@nestjs/common': '1.0.0', 'not-installed': '1.0.0' };
    const devDependencies = { 'only-for-development': '1.0.0' };
    write('package.json', JSON.stringify({ type: 'module', dependencies, devDependencies }));
    for (const name of ['for-production', '@nestjs/common', 'only-for-development', 'somebody-elses']) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'main.js' }));
      write(`node_modules/${name}/main.js`, 'exports.x = 1;\n');
    }
    for (const file of TARGETS) write(file, 'export const x = 1;\n');
    for (const { file, to, how = 'value' } of [...PLANTED, ...ALLOWED])
      write(file, imports[how](specifier(file, to)));
    planted = cruise(tree, ['src']);
  });

  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it('reports every planted violation by the name of its rule, and nothing else', () => {
    const expected = PLANTED.flatMap(({ rule, file }) => [rule].flat().map((name) => `${name}: ${file}`));
    const reported = planted.summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
    expect(reported.sort()).toEqual(expected.sort());
    expect(planted.summary.violations.filter(({ rule }) => rule.severity !== 'error')).toEqual([]);
  });

  it('has a planted violation for every rule', () => {
    const { forbidden } = createRequire(import.meta.url)(path.join(ROOT, CONFIG)) as {
      forbidden: { name: string }[];
    };
    const planted = new Set(PLANTED.flatMap(({ rule }) => rule));
    expect(forbidden.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
  });

  it('holds in the product', () => {
    const { summary, modules } = cruise(ROOT, ['src', 'test']);
    expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);

    // A cruise that reads no TypeScript, or follows no import, finds nothing either.
    const seen = new Set(modules.map(({ source }) => source));
    const written = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .map((file) => path.posix.join('src', file.replaceAll('\\', '/')))
      .filter((file) => file.endsWith('.ts') && !file.startsWith('src/generated/'));
    expect(written.filter((file) => !seen.has(file))).toEqual([]);
    expect(written.length).toBeGreaterThan(150);
    expect(summary.totalDependenciesCruised).toBeGreaterThan(800);
  });
});
