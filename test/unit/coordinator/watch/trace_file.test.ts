import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
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

test('a disk that is slower than the run costs spans, which is told, and no memory', { skip: process.platform === 'win32' ? 'Windows has no such files' : false }, async (t) => {
  const file = await fileIn(t)
  // The reader of the pipe stands for the disk.
  execFileSync('mkfifo', [file])
  const reading = createReadStream(file).pause()
  const read: Buffer[] = []
  const events: RunEvent[] = []
  const trace = await TraceFile.open(file, 0, (event) => events.push(event))
  let added = 0
  const addSome = (): void => {
    for (let i = 0; i < 1000; i++, added++) trace.add('one', { name: 'compute', begin: added, end: added + 1, step: added, unit: 0 })
  }
  while (events.length === 0) {
    addSome()
    await setImmediate()
  }
  assert.ok(added < 400_000, `${added} spans wait`)
  addSome()
  assert.match(reasonOf(events[0]), /^--trace .* cannot be written as fast as the run goes on: spans are left out until its disk has caught up\.$/)
  reading.on('data', (data: Buffer | string) => read.push(Buffer.from(data))).resume()
  const size = (): number => read.reduce((sum, { length }) => sum + length, 0)
  for (let before = -1; before !== size(); await sleep(100)) before = size()
  trace.add('one', { name: 'compute', begin: added, end: added + 1, step: added, unit: 0 })
  await trace.close()
  await once(reading, 'close')
  const spans = (JSON.parse(Buffer.concat(read).toString()) as { ph: string; ts: number }[]).filter(({ ph }) => ph === 'X')
  assert.equal(spans.at(-1)?.ts, added * 1e6, 'once the disk has caught up, spans are taken again')
  assert.equal(reasonOf(events[1]), `--trace ${file} is without ${added + 1 - spans.length} spans, for which its disk was too slow.`)
  assert.equal(events.length, 2)
})

const reasonOf = (event: RunEvent): string => (event.type === 'writeFailed' ? event.reason : event.type)

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
