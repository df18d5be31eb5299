import { GPU_REASON } from '../support/gpu_reason.ts'

/** What node's test runner counts, in the order in which it tells them. */
export const COUNTED = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const
export type Counts = Record<(typeof COUNTED)[number], number>

export interface TestEnd {
  name: string
  seconds: number
  /** Why it was skipped, if it was. */
  skipped?: string
}

/** What became of one test file. */
export interface FileEnd {
  /** Relative to the project, with `/`. */
  file: string
  seconds: number
  counts: Counts
  /** Tests and suites that no other test of the file contains. */
  tests: TestEnd[]
  /** What is wrong beside tests that failed, e.g. processes that the file has left running. */
  complaints: string[]
}

/** What a whole run comes to. */
export interface Outcome {
  counts: Counts
  slowestFiles: { file: string; seconds: number }[]
  slowestTests: { file: string; name: string; seconds: number }[]
  /** Skipped tests by their reason, most frequent first. */
  skipped: { reason: string; tests: string[]; fails: boolean }[]
  complaints: string[]
  failed: boolean
}

const SLOWEST = 10

/**
 * Sums up the files of a run.
 * @param strict under CI a test that is skipped fails the run, but for those that want a GPU
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

/** A figure that node's test runner tells at the end of a file, such as "pass 7"; undefined for what else it tells. */
export function countOf(diagnostic: string): [keyof Counts, number] | undefined {
  const [, name, value] = /^(\w+) (\d+)$/.exec(diagnostic) ?? []
  const counted = COUNTED.find((each) => each === name)
  return counted === undefined ? undefined : [counted, Number(value)]
}

/** Whether a diagnostic is one of those that end a file, which are summed up and told once for all files. */
export function isSummary(diagnostic: string): boolean {
  return countOf(diagnostic) !== undefined || /^duration_ms [\d.]+$/.test(diagnostic)
}

/** Files whose path has one of the words, or all where there are no words, in the order in which they are begun: those of whole clusters first, so that the end has short ones. */
export function chosen(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word))).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

const BEGINNING = ['test/cluster/', 'test/cli/', 'test/docs/', 'test/simulation/', 'test/browser/']

function rank(file: string): number {
  const index = BEGINNING.findIndex((folder) => file.startsWith(folder))
  return index === -1 ? BEGINNING.length : index
}

/** Lines for people that come before the counts: where the time went, and what was not run. */
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
