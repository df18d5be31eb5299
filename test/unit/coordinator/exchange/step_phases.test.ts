import assert from 'node:assert/strict'
import test from 'node:test'
import { StepPhases } from '../../../../coordinator/exchange/step_phases.ts'
import { splitOf } from '../../../../coordinator/contract/step_split.ts'
import type { Span } from '../../../../shared/trace/span.ts'

test('a phase inside another one is taken off it, and what is between phases is waiting', () => {
  let now = 10
  const pass = (seconds: number): void => void (now += seconds)
  const spans: Span[] = []
  const phases = new StepPhases(7, () => now, (span) => spans.push(span))
  pass(4)
  phases.measure('reduce', () => {
    pass(1)
    phases.measure('optimizer', () => pass(2))
    phases.measure('broadcast', () => pass(3))
  })
  pass(5)
  phases.measure('reduce', () => pass(1))

  assert.deepEqual(phases.seconds, { reduce: 2, optimizer: 2, broadcast: 3 })
  assert.deepEqual(splitOf(16, phases.seconds), { lanes: 9, reduce: 2, optimizer: 2, broadcast: 3 })
  assert.deepEqual(spans.map(({ name, begin, end }) => [name, begin, end]), [
    ['lanes wait', 10, 14], ['optimizer', 15, 17], ['broadcast', 17, 20], ['reduce', 14, 20], ['lanes wait', 20, 25], ['reduce', 25, 26],
  ])
  assert.ok(spans.every(({ step }) => step === 7))
})

test('a phase that throws is measured too', () => {
  let now = 0
  const phases = new StepPhases(0, () => now)
  assert.throws(() => phases.measure('reduce', () => {
    now += 2
    throw new Error('no chunk')
  }), /no chunk/)
  phases.measure('optimizer', () => void (now += 1))
  assert.deepEqual(phases.seconds, { reduce: 2, optimizer: 1, broadcast: 0 })
})
