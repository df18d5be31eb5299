import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test, type TestContext } from 'node:test'
import pino from 'pino'
import { createConsole } from '../../../../coordinator/watch/console.ts'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'

const split = { lanes: 0.4, reduce: 0.05, optimizer: 0.03, broadcast: 0.02 }
const step = (number: number, loss: number): RunEvent => ({ type: 'step', epoch: 1, stepInEpoch: number - 1, stepsPerEpoch: 4, step: number, samples: 16, seconds: 0.5, loss, accuracy: 0.25, gradientNorm: 1, split, computedBy: ['one'] })
const epoch: RunEvent = { type: 'epoch', epoch: 1, epochs: 20, step: 4, trainLoss: 1.5, trainAccuracy: 0.5, testLoss: Number.NaN, testAccuracy: 0.75, learningRate: 0.125, images: 64, skippedSteps: 0, seconds: 2, imagesPerSecond: 32, workers: 1 }
const events: readonly RunEvent[] = [step(1, 3), step(2, 2), { type: 'evaluating', epoch: 1, beside: false }, { type: 'testing', done: 3, total: 8 }, { type: 'testing', done: 8, total: 8 }, epoch]

/** Plays events, each a second after the last. @returns the output and the log's records */
function play(context: TestContext, terminal: boolean, options: { quiet?: boolean; logFormat?: 'pretty' | 'json' }, played = events): { output: string; records: Record<string, unknown>[] } {
  let now = 0
  context.mock.method(performance, 'now', () => now)
  const records: Record<string, unknown>[] = []
  const quiet = options.quiet ?? false
  const log = pino({ base: null, timestamp: false, level: quiet ? 'warn' : 'info' }, { write: (line: string) => void records.push(JSON.parse(line) as Record<string, unknown>) })
  const output = Object.assign(new PassThrough(), { isTTY: terminal, columns: 100 })
  const console = createConsole(output as unknown as NodeJS.WriteStream, log, { quiet, logFormat: options.logFormat ?? 'pretty' })
  for (const event of played) {
    now += 1000
    console.observe(event)
  }
  console.print('')
  console.print('  the end', { digest: 'f00d' })
  return { output: String(output.read() ?? ''), records }
}

test('a terminal gets a bar for the epoch, then one for its evaluation, then the line of the epoch', (context) => {
  const { output, records } = play(context, true, {})
  const parts = ['epoch 1 ', '2/4  32.0 images/s, loss 2.5000', 'testing ', '3/8', '8/8', 'epoch  1/20  train loss 1.5000 accuracy 50.0 %  test loss NaN accuracy 75.0 %  32.0 images/s  2 s\n', '\n  the end\n']
  let at = 0
  for (const part of parts) {
    const found = output.indexOf(part, at)
    assert.notEqual(found, -1, `${part} comes in its turn in ${JSON.stringify(output)}`)
    at = found
  }
  assert.deepEqual(records, [])
})

test('the bar of the next epoch may begin before the line of the epoch comes, and goes on after it', (context) => {
  const next = (stepInEpoch: number, loss: number): RunEvent => ({ ...step(stepInEpoch + 1, loss), epoch: 2, step: 5 + stepInEpoch } as RunEvent)
  const { output } = play(context, true, {}, [step(3, 3), step(4, 3), { type: 'evaluating', epoch: 1, beside: false }, { type: 'testing', done: 8, total: 8 }, next(0, 2), next(1, 1), epoch, next(2, 3), next(3, 4), { type: 'finished', digest: '', epochs: 2, seconds: 4 }])
  const parts = ['epoch 1 ', 'testing ', 'epoch 2 ', '2/4  32.0 images/s, loss 1.5000', 'epoch  1/20  train loss', 'epoch 2 ', '4/4  32.0 images/s, loss 2.5000']
  let at = 0
  for (const part of parts) {
    const found = output.indexOf(part, at)
    assert.notEqual(found, -1, `${part} comes in its turn in ${JSON.stringify(output)}`)
    at = found
  }
})

test('without a terminal there are lines only', (context) => {
  const { output } = play(context, false, {})
  assert.match(output, /^epoch {2}1\/20 {2}train loss[^\n]*\n\n {2}the end\n$/)
})

test('with --quiet there is nothing', (context) => {
  assert.deepEqual(play(context, true, { quiet: true }), { output: '', records: [] })
})

test('with --log-format json each line is a record with the fields of its event, on a terminal too', (context) => {
  const { output, records } = play(context, true, { logFormat: 'json' })
  assert.equal(output, '')
  const { type, ...fields } = epoch as Extract<RunEvent, { type: 'epoch' }>
  assert.deepEqual(records, [
    { level: 30, event: type, ...fields, testLoss: null, msg: 'epoch  1/20  train loss 1.5000 accuracy 50.0 %  test loss NaN accuracy 75.0 %  32.0 images/s  2 s' },
    { level: 30, digest: 'f00d', msg: 'the end' },
  ])
})
