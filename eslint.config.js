import tseslint from 'typescript-eslint'

const NO_RANDOM = { selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']", message: 'Randomness is keyed: use shared/random/philox.ts, or take a random source from outside.' }
/** Each spread value is an argument on the stack, which overflows at some 125,000: a class may have more images, and a confusion matrix more cells. */
const NO_SPREAD_OF_DATA = {
  selector: ":matches(CallExpression[callee.property.name='push'], CallExpression[callee.object.name='Math']) > SpreadElement.arguments",
  message: 'A list may be as long as the data set: loop or reduce instead of spreading it into arguments.',
}
const NO_RECURSIVE_MKDIR = { selector: "CallExpression[callee.name='mkdir'] Property[key.name='recursive']", message: 'Recursive mkdir never returns below /proc: use makeFolders of shared/kit/folders.ts.' }

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'runs/', 'data/', 'benchmark/peers/.venv/', 'shared/kernels/assembly/'] },
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
      'no-restricted-syntax': ['error', NO_RANDOM],
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['{coordinator,worker,reducer,live,cli,shared}/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', NO_RANDOM, NO_RECURSIVE_MKDIR] },
  },
  {
    files: ['shared/{data,evaluation,lanes}/**/*.ts', 'shared/pictures/confusion.ts', 'cli/*.ts', 'cli/commands/*.ts'],
    rules: { 'no-restricted-syntax': ['error', NO_RANDOM, NO_RECURSIVE_MKDIR, NO_SPREAD_OF_DATA] },
  },
)
