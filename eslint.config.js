import tseslint from 'typescript-eslint'

/** Dependencies point one way: coordinator, worker and cli use shared; shared uses none of them; only tests start the other side. */
const mayNotImport = (folder, others) => ({
  files: [`${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: others.map((other) => ({ group: [`**/${other}/**`], message: `${folder} does not depend on ${other}.` })) },
    ],
  },
})

export default tseslint.config(
  { ignores: ['node_modules/', 'runs/', 'data/', 'benchmark/peers/.venv/', 'shared/kernels/assembly/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'before', 'after', 'suite', 'beforeEach', 'afterEach'] }] }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { prefer: 'type-imports', fixStyle: 'inline-type-imports' }],
      'no-restricted-syntax': [
        'error',
        { selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']", message: 'Randomness is keyed: use shared/random/philox.ts, or take a random source from outside.' },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
    },
  },
  mayNotImport('shared', ['coordinator', 'reducer', 'worker', 'cli', 'live', 'test', 'benchmark']),
  mayNotImport('coordinator', ['reducer', 'worker', 'cli', 'test', 'benchmark']),
  mayNotImport('reducer', ['worker', 'cli', 'live', 'test', 'benchmark']),
  mayNotImport('live', ['coordinator', 'reducer', 'worker', 'cli', 'test', 'benchmark']),
  mayNotImport('worker', ['coordinator', 'cli', 'test', 'benchmark']),
  mayNotImport('cli', ['coordinator', 'worker', 'test', 'benchmark']),
)
