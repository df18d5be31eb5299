import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import pMap from 'p-map'
import { killIfThere } from '../benchmark/bench/child_processes.ts'
import { ROOT } from '../shared/kit/project.ts'
import { describeLongForms, longFiles } from './runner/long_forms.ts'
import { chosen, countOf, describeOutcome, emptyCounts, isSummary, outcomeOf, startsPrograms, type FileEnd } from './runner/outcome.ts'
import { processesHere, treeOf } from './runner/processes.ts'

/** `npm test` runs test files side by side, each in a process of its own. This is its help. */
const HELP = `Usage: npm test [-- WORD ...]        test files whose path has one of the words, or all
       npm run test:long [-- WORD ...]  what takes long, in full:

${describeLongForms()}
`
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const long = process.argv.includes('--long')
/** Number of tests at a time that start programs, whose processes keep the cores busy for most of the time; one more that starts none fills the rest. */
const SIDE_BY_SIDE = Math.min(4, Math.max(3, os.availableParallelism()))
const LIMIT_SECONDS = long ? 3600 : 600

async function main(): Promise<void> {
  if (process.argv.includes('--help')) return void process.stdout.write(HELP)
  const files = chosen(long ? longFiles() : filesBelow('test'), words)
  const fixtures = mkdtempSync(path.join(os.tmpdir(), 'herd-test-fixtures-'))
  Object.assign(process.env, { HERD_TEST_FIXTURES: fixtures, ...(long && { HERD_TEST_LONG: '1' }) })
  // The run of each file listens for uncaught errors, so there are more listeners than Node.js expects.
  process.setMaxListeners(0)
  const started = performance.now()
  const reporter = new spec()
  reporter.pipe(process.stdout)
  try {
    const runAll = (some: readonly string[], concurrency: number): Promise<FileEnd[]> => pMap(some, (file) => runFile(file, (event) => reporter.write(event)), { concurrency })
    const ends = (await Promise.all([runAll(files.filter(startsPrograms), SIDE_BY_SIDE), runAll(files.filter((file) => !startsPrograms(file)), 1)])).flat()
    const outcome = outcomeOf(ends, process.env['CI'] === 'true')
    const lines = [...describeOutcome(outcome), ...Object.entries(outcome.counts).map(([name, value]) => `${name} ${value}`), `duration_ms ${(performance.now() - started).toFixed(0)}`]
    for (const message of lines) reporter.write({ type: 'test:diagnostic', data: { nesting: 0, message } })
    process.exitCode = outcome.failed ? 1 : 0
  } finally {
    reporter.end()
    rmSync(fixtures, { recursive: true, force: true })
  }
}

/** Runs a file, and reports its events when it has ended, so that the output of several files stays apart. */
async function runFile(file: string, report: (event: object) => void): Promise<FileEnd> {
  const compiled = path.join(ROOT, 'dist', file.replace(/\.ts$/, '.js'))
  const end: FileEnd = { file, seconds: 0, counts: emptyCounts(), tests: [], complaints: [] }
  const events: object[] = []
  let running = 'its beginning'
  const begun = performance.now()
  const limit = setTimeout(() => {
    const tree = treeOf(compiled, process.pid, processesHere())
    end.complaints.push(`${file} took longer than ${LIMIT_SECONDS} s, and was ended in ${running}, with ${Math.max(0, tree.length - 1)} processes that it had started`)
    for (const { pid } of tree) killIfThere(pid)
  }, LIMIT_SECONDS * 1000)
  for await (const event of run({ files: [compiled], timeout: (LIMIT_SECONDS + 10) * 1000 })) {
    const { type, data } = event as { type: string; data: { nesting: number; name: string; message: string; skip?: string | boolean; details: { duration_ms: number } } }
    if (type === 'test:dequeue' && data.nesting === 0 && data.name !== compiled) running = `"${data.name}"`
    if (type === 'test:pass' || type === 'test:fail') {
      const skipped = data.skip === true || data.skip === '' ? 'no reason' : data.skip === false ? undefined : data.skip
      if (data.nesting === 0 || skipped !== undefined) end.tests.push({ name: data.name, seconds: data.details.duration_ms / 1000, ...(skipped !== undefined && { skipped }) })
    }
    if (type === 'test:diagnostic' && isSummary(data.message)) {
      const counted = countOf(data.message)
      if (counted !== undefined) end.counts[counted[0]] += counted[1]
    } else if (type !== 'test:summary') events.push(event)
  }
  clearTimeout(limit)
  end.seconds = (performance.now() - begun) / 1000
  for (const event of events) report(event)
  return end
}

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
}

await main()
