import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import { TraceFile } from '../../../../coordinator/watch/trace_file.ts'
import { RunError } from '../../../../shared/kit/errors.ts'
import { coverage, readTrace } from '../../../support/trace.ts'
import { createWorkspace } from '../../../support/workspace.ts'

async function fileIn(t: TestContext): Promise<string> {
  const workspace = await createWorkspace()
  t.after(() => workspace.remove())
  return workspace.path('trace.json')
}

test('spans that overlap get rows of their own, those of the coordinator lie in one', async (t) => {
  const file = await fileIn(t)
  const trace = await TraceFile.open(file, 100, () => undefined)
  trace.add('one', { name: 'decode', begin: 100, end: 102, step: 0, unit: 0 })
  trace.add('one', { name: 'decode', begin: 101, end: 103, step: 0, unit: 1 })
  trace.add('one', { name: 'decode', begin: 102, end: 104, step: 0, unit: 2 })
  trace.add('one', { name: 'compute', begin: 102, end: 105, step: 0, unit: 0 })
  trace.add(undefined, { name: 'optimizer', begin: 105.2, end: 105.4, step: 0 })
  trace.add(undefined, { name: 'reduce', begin: 105, end: 105.5, step: 0 })
  trace.add(undefined, { name: 'step', begin: 100, end: 105.5, step: 0 })
  await trace.close()

  assert.deepEqual((await readTrace(file)).map(({ process, row, name, begin, end, lane }) => [process, row, name, begin, end, lane]), [
    ['worker one', 'decode', 'decode', 0, 2e6, 0],
    ['worker one', 'decode 2', 'decode', 1e6, 3e6, 1],
    ['worker one', 'decode', 'decode', 2e6, 4e6, 2],
    ['worker one', 'engine', 'compute', 2e6, 5e6, 0],
    ['coordinator', 'steps', 'optimizer', 5.2e6, 5.4e6, undefined],
    ['coordinator', 'steps', 'reduce', 5e6, 5.5e6, undefined],
    ['coordinator', 'steps', 'step', 0, 5.5e6, undefined],
  ])
})

test('a trace without spans is one, and a folder that is not there is said at once', async (t) => {
  const file = await fileIn(t)
  await (await TraceFile.open(file, 0, () => undefined)).close()
  assert.deepEqual(await readTrace(file), [])
  await assert.rejects(TraceFile.open(`${file}/below/trace.json`, 0, () => undefined), (error) => error instanceof RunError && error.message.startsWith(`--trace ${file}/below/trace.json cannot be written`))
})

test('a disk that is full ends the trace with one word, and nothing else', { skip: process.platform === 'linux' ? false : '/dev/full is of Linux only' }, async () => {
  const events: RunEvent[] = []
  const told = new Promise<void>((resolve) => {
    void TraceFile.open('/dev/full', 0, (event) => {
      events.push(event)
      resolve()
    }).then((trace) => {
      for (let step = 0; step < 3; step++) trace.add(undefined, { name: 'step', begin: step, end: step + 1, step })
    })
  })
  await told
  assert.deepEqual(events.map(({ type }) => type), ['writeFailed'])
})

test('the checker finds spans that cross in a row, and events that are not of the format', async (t) => {
  const file = await fileIn(t)
  const trace = await TraceFile.open(file, 0, () => undefined)
  trace.add(undefined, { name: 'step', begin: 0, end: 2 })
  trace.add(undefined, { name: 'step', begin: 1, end: 3 })
  await trace.close()
  await assert.rejects(readTrace(file), /overlaps/)
  await writeFile(file, (await readFile(file, 'utf8')).replace('"ph":"X"', '"ph":"Y"'))
  await assert.rejects(readTrace(file), /ph/)
})

test('coverage counts what several spans cover once', () => {
  assert.equal(coverage([{ begin: 0, end: 4 }, { begin: 2, end: 5 }, { begin: 8, end: 20 }], { begin: 0, end: 10 }), 0.7)
})
