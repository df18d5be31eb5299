/** Whether tests that take long by nature run in full: `npm run test:long`. In `npm test` they have a short form, of all kinds but of fewer. */
const LONG = process.env['HERD_TEST_LONG'] === '1'

/** Files that have a long form, and what it covers. */
const LONG_FORMS: Record<string, string> = {
  'test/cluster/fuzz.test.ts': '21,000 hostile messages beside a run (HERD_FUZZ_SEED and HERD_FUZZ_MESSAGES choose others)',
}

/** What a test takes in its short form, or in its long one. The file has to be named in the table above. */
export function shortOrLong<T>(short: T, long: T): T {
  return LONG ? long : short
}

export function longFiles(): string[] {
  return Object.keys(LONG_FORMS)
}

export function describeLongForms(): string {
  return Object.entries(LONG_FORMS).map(([file, covers]) => `  ${file}\n      ${covers}`).join('\n')
}
