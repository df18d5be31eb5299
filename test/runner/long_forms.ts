/** True in `npm run test:long`, in which long tests run in full. In `npm test` they have a short form, with fewer cases of every kind. */
const LONG = process.env['HERD_TEST_LONG'] === '1'

/** Files that have a long form, with its coverage beyond the short one. */
const LONG_FORMS: Record<string, string> = {
  'test/cluster/fuzz.test.ts': '21,000 hostile messages beside a run instead of 3,000 (HERD_FUZZ_SEED and HERD_FUZZ_MESSAGES choose others)',
  'test/cluster/digests.test.ts': "the article's network by one process and by 1, 2, 3 and 4 workers, in float32 and in bf16, instead of by one cluster each",
  'test/cluster/compression.test.ts': 'each format with reducers, with a worker that is killed, and with more numbers of workers',
  'test/cluster/reducers.test.ts': '1 reducer, and 2 reducers with 1 and with 4 workers too',
  'test/cluster/pixel_cache.test.ts': 'damaged and cut cache files before several processes too',
  'test/cluster/arm64.test.ts': 'a run on ARM64, which QEMU emulates, with Node.js 20, 22, 24 and 26, instead of a sample of the arithmetic (after .ci/install-arm64)',
  'test/cluster/node_versions.test.ts': 'native training and predictions with every version of Node.js, instead of with the newest',
  'test/simulation/simulation.test.ts': '3,000 random schedules of faults instead of 110 (npm run simulate runs any number)',
  'test/cli/bench.test.ts': 'recovery, and all contenders of the exchange and of the whole job, in rounds as long as usual',
}

/** Chooses between a test's values for its short form and its long one. The test's file has to be in the table above. */
export function shortOrLong<T>(short: T, long: T): T {
  return LONG ? long : short
}

export function longFiles(): string[] {
  return Object.keys(LONG_FORMS)
}

export function describeLongForms(): string {
  return Object.entries(LONG_FORMS).map(([file, covers]) => `  ${file}\n      ${covers}`).join('\n')
}
