import { GPU_REASON } from '../support/gpu_reason.ts'

/** Counts of node's test runner, in the order in which it reports them. */
export const COUNTED = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const
export type Counts = Record<(typeof COUNTED)[number], number>

export interface TestEnd {
  name: string
  seconds: number
  /** Reason for which the test was skipped; undefined if it was not. */
  skipped?: string
}

/** The result of one test file. */
export interface FileEnd {
  /** Path relative to the project, with `/`. */
  file: string
  seconds: number
  counts: Counts
  /** Tests and suites at the top level of the file, and skipped tests at any level. */
  tests: TestEnd[]
  /** Problems besides failed tests, e.g. that the file took too long. */
  complaints: string[]
}

/** The result of a whole run. */
export interface Outcome {
  counts: Counts
  slowestFiles: { file: string; seconds: number }[]
  slowestTests: { file: string; name: string; seconds: number }[]
  /** Skipped tests, grouped by reason, the most frequent reason first. */
  skipped: { reason: string; tests: string[]; fails: boolean }[]
  complaints: string[]
  failed: boolean
}

const SLOWEST = 10

/**
 * Sums up the files of a run.
 * @param strict true under CI: a skipped test fails the run, unless it needs a GPU
 */
export function outcomeOf(files: readonly FileEnd[], strict: boolean): Outcome {
  const counts = emptyCounts()
  for (const { counts: own } of files) for (const name of COUNTED) counts[name] += own[name]
  const tests = files.flatMap(({ file, tests }) => tests.map((each) => ({ file, ...each })))
  const skipped = groupedByReason(tests, strict)
  const complaints = files.flatMap(({ complaints }) => complaints)
  return {
    counts,
    slowestFiles: slowest(files).map(({ file, seconds }) => ({ file, seconds })),
    slowestTests: slowest(tests).map(({ file, name, seconds }) => ({ file, name, seconds })),
    skipped,
    complaints,
    failed: counts.fail + counts.cancelled + complaints.length > 0 || skipped.some(({ fails }) => fails) || counts.tests === 0,
  }
}

export function emptyCounts(): Counts {
  return { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 }
}

/** Parses a count that node's test runner reports at the end of a file, such as "pass 7"; undefined for any other diagnostic. */
export function countOf(diagnostic: string): [keyof Counts, number] | undefined {
  const [, name, value] = /^(\w+) (\d+)$/.exec(diagnostic) ?? []
  const counted = COUNTED.find((each) => each === name)
  return counted === undefined ? undefined : [counted, Number(value)]
}

/** True if a diagnostic is one of those at the end of a file, which are summed up and reported once for all files. */
export function isSummary(diagnostic: string): boolean {
  return countOf(diagnostic) !== undefined || /^duration_ms [\d.]+$/.test(diagnostic)
}

/** Files whose path contains one of the words, or all files if there are no words, in the order in which they are started: those with whole clusters first, so that short ones come last. */
export function chosen(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word))).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

const BEGINNING = ['test/cluster/', 'test/cli/', 'test/docs/', 'test/simulation/', 'test/browser/']

/** True for a test that starts whole programs, and mostly waits for them. */
export function startsPrograms(file: string): boolean {
  return rank(file) < BEGINNING.length
}

function rank(file: string): number {
  const index = BEGINNING.findIndex((folder) => file.startsWith(folder))
  return index === -1 ? BEGINNING.length : index
}

/** Lines that are printed before the counts: the slowest files and tests, skipped tests, and complaints. */
export function describeOutcome({ slowestFiles, slowestTests, skipped, complaints }: Outcome): string[] {
  const seconds = (value: number): string => `${value.toFixed(1).padStart(7)} s`
  return [
    'slowest files:', ...slowestFiles.map(({ file, seconds: each }) => `${seconds(each)}  ${file}`),
    'slowest tests:', ...slowestTests.map(({ file, name, seconds: each }) => `${seconds(each)}  ${name} (${file})`),
    ...(skipped.length === 0 ? [] : ['skipped tests:']),
    ...skipped.map(({ reason, tests, fails }) => `${String(tests.length).padStart(7)}    ${reason}: ${brief(tests)}${fails ? ' [fails under CI=true]' : ''}`),
    ...complaints.map((complaint) => `error: ${complaint}`),
  ]
}

function brief(tests: readonly string[]): string {
  return tests.length > 2 ? `${tests[0]}, and ${tests.length - 1} more` : tests.join(', ')
}

function slowest<T extends { seconds: number }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST)
}

function groupedByReason(tests: readonly TestEnd[], strict: boolean): Outcome['skipped'] {
  const byReason = new Map<string, string[]>()
  for (const { name, skipped } of tests) if (skipped !== undefined) byReason.set(skipped, [...(byReason.get(skipped) ?? []), name])
  return [...byReason]
    .map(([reason, names]) => ({ reason, tests: names, fails: strict && !reason.startsWith(GPU_REASON) }))
    .sort((a, b) => b.tests.length - a.tests.length)
}
