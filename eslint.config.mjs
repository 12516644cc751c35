import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The rules that find defects; the layout is Prettier's, and who may import whom is .dependency-cruiser.cjs's.
export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'src/generated/', 'web/', 'clients/', 'deploy/', '.scandock/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }], // `== null` asks for null and undefined at once
      'no-control-regex': 'off', // expressions that name control characters are here to refuse them
    },
  },
  {
    files: ['**/*.{mjs,cjs,js}'],
    // TypeScript knows the globals of its own files; here the few names that are used stand for them.
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'Buffer',
          'URL',
          'WebAssembly',
          'fetch',
          'setTimeout',
          'clearTimeout',
          'performance',
        ]
          .concat(['AbortSignal', 'AbortController', 'module', 'require', 'setInterval', 'clearInterval'])
          .map((name) => [name, 'readonly']),
      ),
    },
    rules: { 'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }] },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        // Nest finds out what to inject from the types of constructor parameters, which the compiler keeps only for
        // imports of values. Told of both options, consistent-type-imports leaves files with decorators alone.
        emitDecoratorMetadata: true,
        experimentalDecorators: true,
      },
    },
    rules: {
      // The compiler knows better in typed files.
      'no-undef': 'off',
      'no-redeclare': 'off',
      'no-dupe-class-members': 'off',
      'no-unused-vars': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }], // what was caught, again
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/commands/**', 'src/demo/**', 'src/main.ts', '**/*.spec.ts', '**/*.fixture.ts'],
    rules: {
      'no-console': 'error', // the log is structured and free of patient data
      'no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: '@casl/prisma/runtime',
              importNames: ['accessibleBy'],
              message:
                'platform/authorization/accessible-by: the filter of who may nothing must filter everything.',
            },
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Settings come through platform/config, where they are checked.',
        },
      ],
    },
  },
  {
    files: ['src/platform/authorization/accessible-by.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['src/platform/config/**/*.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' }, // bodies of replies: the assertions are their types
  },
);
