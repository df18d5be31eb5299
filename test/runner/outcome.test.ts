import assert from 'node:assert/strict'
import test from 'node:test'
import { GPU_REASON } from '../support/gpu_reason.ts'
import { chosen, countOf, describeOutcome, emptyCounts, isSummary, outcomeOf, type Counts, type FileEnd } from './outcome.ts'
import { treeOf } from './processes.ts'

function fileEnd(file: string, seconds: number, counts: Partial<Counts>, more: Partial<FileEnd> = {}): FileEnd {
  return { file, seconds, counts: { ...emptyCounts(), ...counts }, tests: [], complaints: [], ...more }
}

test('files are added up, and a run fails where a test has failed or was cancelled, a file complains, or nothing was run', () => {
  const good = [fileEnd('a', 1, { tests: 3, pass: 2, skipped: 1, suites: 1 }), fileEnd('b', 2, { tests: 1, pass: 1 })]
  const { counts, failed } = outcomeOf(good, false)
  assert.deepEqual(counts, { tests: 4, suites: 1, pass: 3, fail: 0, cancelled: 0, skipped: 1, todo: 0 })
  assert.equal(failed, false)
  for (const bad of [{ tests: 1, fail: 1 }, { tests: 1, cancelled: 1 }]) assert.equal(outcomeOf([...good, fileEnd('c', 0, bad)], false).failed, true)
  const complaining = outcomeOf([...good, fileEnd('c', 0, { tests: 1, pass: 1 }, { complaints: ['c took longer than 600 s'] })], false)
  assert.equal(complaining.failed, true)
  assert.ok(describeOutcome(complaining).includes('error: c took longer than 600 s'))
  assert.equal(outcomeOf([], false).failed, true)
})

test('the ten slowest files and tests are named, slowest first', () => {
  const files = Array.from({ length: 14 }, (_, index) => fileEnd(`file-${index}`, (index * 5) % 14, { tests: 1, pass: 1 }, { tests: [{ name: `test-${index}`, seconds: (index * 3) % 14 }] }))
  const { slowestFiles, slowestTests } = outcomeOf(files, false)
  assert.deepEqual(slowestFiles.map(({ seconds }) => seconds), [13, 12, 11, 10, 9, 8, 7, 6, 5, 4])
  assert.deepEqual(slowestTests.map(({ seconds }) => seconds), [13, 12, 11, 10, 9, 8, 7, 6, 5, 4])
  assert.deepEqual(slowestTests[0], { file: 'file-9', name: 'test-9', seconds: 13 })
})

test('skipped tests are listed by reason; under CI they fail the run, but for those that want a GPU', () => {
  const noGpu = `${GPU_REASON}there is none`
  const ofGpu = fileEnd('gpu', 1, { tests: 3, skipped: 3 }, { tests: [1, 2, 3].map((each) => ({ name: `on a GPU ${each}`, seconds: 0, skipped: noGpu })) })
  const ofPython = fileEnd('python', 1, { tests: 2, pass: 1, skipped: 1 }, { tests: [{ name: 'needs python', seconds: 0, skipped: 'python3 is not installed' }, { name: 'does not', seconds: 1 }] })
  assert.equal(outcomeOf([ofGpu], true).failed, false)
  assert.equal(outcomeOf([ofGpu, ofPython], false).failed, false)
  const strict = outcomeOf([ofPython, ofGpu], true)
  assert.equal(strict.failed, true)
  assert.deepEqual(strict.skipped, [
    { reason: noGpu, tests: ['on a GPU 1', 'on a GPU 2', 'on a GPU 3'], fails: false },
    { reason: 'python3 is not installed', tests: ['needs python'], fails: true },
  ])
  const lines = describeOutcome(strict)
  assert.ok(lines.some((line) => line.endsWith(`${noGpu}: on a GPU 1, and 2 more`)), lines.join('\n'))
  assert.ok(lines.some((line) => line.endsWith('python3 is not installed: needs python [fails under CI=true]')), lines.join('\n'))
})

test('words choose files, and those of whole clusters are begun first', () => {
  const files = ['test/unit/b.test.ts', 'test/cluster/a.test.ts', 'test/unit/a.test.ts', 'test/cli/show.test.ts']
  assert.deepEqual(chosen(files, []), ['test/cluster/a.test.ts', 'test/cli/show.test.ts', 'test/unit/a.test.ts', 'test/unit/b.test.ts'])
  assert.deepEqual(chosen(files, ['unit/b', 'show']), ['test/cli/show.test.ts', 'test/unit/b.test.ts'])
  assert.deepEqual(chosen(files, ['nothing']), [])
})

test('the figures at the end of a file are told apart from what tests say', () => {
  assert.deepEqual(countOf('pass 12'), ['pass', 12])
  for (const other of ['duration_ms 12.5', 'seed 1', 'pass twelve', 'tests 1 of 2']) assert.equal(countOf(other), undefined, other)
  assert.deepEqual(['tests 3', 'duration_ms 12.5', 'duration_ms', 'seed 1: 2 messages'].map(isSummary), [true, true, false, false])
})

test('the processes of a hung file are those below the one that runs it', () => {
  const all = [
    { pid: 10, parent: 1, command: 'node runner' }, { pid: 13, parent: 12, command: 'node worker' }, { pid: 11, parent: 10, command: 'node --test /x/a.test.js' },
    { pid: 12, parent: 11, command: 'node coordinator' }, { pid: 14, parent: 10, command: 'node --test /x/b.test.js' }, { pid: 15, parent: 1, command: 'node --test /x/a.test.js' },
  ]
  assert.deepEqual(treeOf('/x/a.test.js', 10, all).map(({ pid }) => pid), [11, 12, 13])
  assert.deepEqual(treeOf('/x/c.test.js', 10, all), [])
})
