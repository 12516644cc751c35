// Who may import whom (docs/architecture.md). test/contract/boundaries.spec.ts plants a violation of every rule.

/** The modules, in the order of the one way imports go; those of one step do not know each other. */
const STEPS = [
  ['audit'],
  ['auth'],
  ['access'],
  ['events'],
  ['orders', 'metadata'],
  ['uploads'],
  ['studies'],
  [
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
  ],
];
/** What one surface needs of another: the share links of an exam, the inspect files staff attach to a case. */
const ALSO = { exams: ['sharing'], cases: ['inspect'] };

const MODULES = STEPS.flat();
/** What is put together from modules: the processes and the operator's tasks. */
const COMPOSITIONS = '^src/((api|worker|operator)[.]module|api|worker|operator|documentation)[.]ts$';
/** Those among them that enter the private rooms. */
const ENTERING = '^src/((api|worker|operator)[.]module|api)[.]ts$';
const GENERATED = '^src/generated/';
const PRIVATE_ROOM = '^src/modules/[^/]+/(http|worker)/';

/** A module imports itself, platform, formats, the generated client, and the modules of the steps before its own. */
const oneWay = STEPS.flatMap((step, index) =>
  step.map((name) => {
    const allowed = [name, ...STEPS.slice(0, index).flat(), ...(ALSO[name] ?? [])];
    return {
      name: `one-way-${name}`,
      comment: `${name} imports only: ${allowed.join(', ')}, platform, formats.`,
      severity: 'error',
      from: { path: `^src/modules/${name}/` },
      to: { path: '^src/', pathNot: `^src/(modules/(${allowed.join('|')})|platform|formats|generated)/` },
    };
  }),
);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...oneWay,
    {
      name: 'known-modules',
      comment: 'A new module takes its place in STEPS first, or no rule would hold for it.',
      severity: 'error',
      from: { path: '^src/modules/', pathNot: `^src/modules/(${MODULES.join('|')})/` },
      to: {},
    },
    {
      name: 'formats-are-pure',
      comment: 'formats are functions over bytes: nothing but formats, Node and packages; no framework.',
      severity: 'error',
      from: { path: '^src/formats/' },
      to: { path: ['^src/', 'node_modules/@nestjs/'], pathNot: '^src/formats/' },
    },
    {
      name: 'platform-knows-no-business',
      comment: 'platform is technique: it imports platform, formats and the generated client.',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^src/', pathNot: '^src/(platform|formats|generated)/' },
    },
    {
      name: 'private-rooms',
      comment: "A module's http/ and worker/ are entered from within themselves or by the compositions only.",
      severity: 'error',
      from: { path: '^src/', pathNot: [ENTERING, PRIVATE_ROOM] },
      to: { path: PRIVATE_ROOM },
    },
    {
      name: 'private-rooms-of-others',
      comment: "Neither another module's http/ or worker/, nor the other one of the same module.",
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/(http|worker)/' },
      to: { path: PRIVATE_ROOM, pathNot: '^src/modules/$1/$2/' },
    },
    {
      name: 'nobody-imports-compositions',
      comment: 'Only compositions and the commands that start them do.',
      severity: 'error',
      from: { path: '^src/', pathNot: [COMPOSITIONS, '^src/(commands|demo)/', '^src/main[.]ts$'] },
      to: { path: COMPOSITIONS },
    },
    {
      name: 'nobody-imports-commands',
      comment: 'Commands and the demo are the outermost ring.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/((commands|demo)/|main[.]ts$)' },
      to: { path: '^src/((commands|demo)/|main[.]ts$)' },
    },
    {
      name: 'no-circular',
      comment: 'Types included: what must know each other belongs in one file.',
      severity: 'error',
      from: { pathNot: GENERATED },
      to: { circular: true },
    },
    {
      name: 'no-barrels',
      comment: 'An index.ts hides who needs what, and makes circles.',
      severity: 'error',
      from: { path: '/index[.][cm]?[jt]s$', pathNot: [GENERATED, 'node_modules/'] },
      to: {},
    },
    {
      name: 'no-common',
      comment: 'A name says what is inside; common and utils say nothing.',
      severity: 'error',
      from: { pathNot: GENERATED },
      to: { path: '/(common|utils?|helpers?)(/|[.]ts$)', pathNot: [GENERATED, 'node_modules/'] },
    },
    {
      name: 'generated-by-its-client',
      comment: 'The rest of the generated folder is the generator’s own affair.',
      severity: 'error',
      from: { pathNot: GENERATED },
      to: { path: GENERATED, pathNot: '^src/generated/prisma/client[.]ts$' },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'Whoever installs the product does not have them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.](spec|fixture)[.]ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-optional', 'type-only'] },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'A package that is only there because another one needs it is gone tomorrow.',
      severity: 'error',
      // A benchmark measures against what others use, which is there because others use it.
      from: { pathNot: [GENERATED, '^test/bench/'] },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolvable',
      comment: 'What cannot be resolved cannot be judged by any rule above.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-tests-in-product',
      comment: 'Neither a spec nor anything of test/ is part of the product.',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.](spec|fixture)[.]ts$' },
      to: { path: ['^test/', '[.](spec|fixture)[.]ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', GENERATED] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true, // imports of types count: they are what couples two modules
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts', '.node'],
      mainFields: ['types', 'module', 'main'],
    },
    cache: false,
  },
};
