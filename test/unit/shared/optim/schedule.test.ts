import assert from 'node:assert/strict'
import test from 'node:test'
import { cosineOfHalfTurn } from '../../../../shared/kit/trigonometry.ts'
import { rateAt, scheduleOver, scheduleSchema, type RateSchedule } from '../../../../shared/optim/schedule.ts'

const RATE = 0.1
const STEPS = 10
const rates = (schedule: RateSchedule, ...updates: number[]): number[] => updates.map((update) => rateAt(schedule, RATE, update, STEPS))
function assertClose(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length)
  actual.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) <= 1e-15, `${value} against ${expected[index]} at ${index}`))
}

test('a constant rate is the learning rate itself', () => {
  const schedule = scheduleSchema.parse({ name: 'constant' })
  for (const update of [1, 2, 1e6]) assert.equal(rateAt(schedule, 1e-4, update, 3), 1e-4)
})

test('steps: times the factor after every so many epochs', () => {
  const schedule = scheduleSchema.parse({ name: 'step', everyEpochs: 2, factor: 0.5 })
  assert.deepEqual(rates(schedule, 1, 20, 21, 40, 41, 61), [0.1, 0.1, 0.05, 0.05, 0.025, 0.0125])
})

test('cosine: an even rise, half a cosine, and the last rate from then on', () => {
  const schedule = scheduleSchema.parse({ name: 'cosine', warmupEpochs: 1, floor: 0.1, epochs: 5 })
  assertClose(rates(schedule, 1, 5, 10), [0.01, 0.05, 0.1])
  // The 40 updates after the warm-up begin with the full rate; in the middle the rate is half way between it and the floor.
  assertClose(rates(schedule, 11, 31), [0.1, 0.055])
  assertClose(rates(schedule, 21, 41), [0.01 + 0.09 * (2 + Math.SQRT2) / 4, 0.01 + 0.09 * (2 - Math.SQRT2) / 4])
  const last = 0.01 + 0.09 * (1 + Math.cos((Math.PI * 39) / 40)) / 2
  assertClose(rates(schedule, 50, 51, 5000), [last, last, last])
})

test('cosine that never leaves its rise', () => {
  assertClose(rates(scheduleSchema.parse({ name: 'cosine', warmupEpochs: 4, epochs: 2 }), 1, 20, 21), [0.0025, 0.05, 0.05])
})

test("one cycle: the rates of PyTorch's OneCycleLR", () => {
  const schedule = scheduleSchema.parse({ name: 'oneCycle', epochs: 2, peakAt: 0.3, startFactor: 0.04, endFactor: 4e-6 })
  // OneCycleLR(max_lr=0.1, total_steps=20, pct_start=0.3): rises over steps 0 to 5, falls over steps 5 to 19.
  const along = (from: number, to: number, way: number): number => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * way))
  const expected = Array.from({ length: 20 }, (_, step) => (step <= 5 ? along(0.004, 0.1, step / 5) : along(0.1, 4e-7, (step - 5) / 14)))
  assertClose(rates(schedule, ...expected.map((_, step) => step + 1)), expected)
  assertClose(rates(schedule, 1, 6, 20, 21, 1000), [0.004, 0.1, 4e-7, 4e-7, 4e-7])
})

test('one cycle of a single update ends at once', () => {
  assertClose([rateAt(scheduleSchema.parse({ name: 'oneCycle', epochs: 1 }), RATE, 1, 1)], [4e-7])
})

test('the length is set once: a longer run keeps its rates', () => {
  const asked = scheduleSchema.parse({ name: 'cosine' })
  const set = scheduleOver(asked, 3)
  assert.deepEqual(set, { name: 'cosine', warmupEpochs: 0, floor: 0, epochs: 3 })
  assert.deepEqual(scheduleOver(set, 7), set)
  assert.deepEqual(scheduleOver({ name: 'constant' }, 3), { name: 'constant' })
  assert.throws(() => rateAt(asked, RATE, 1, STEPS), /cosine has no epochs/)
})

test('the cosine is that of the engine within its last bits, and exact where it can be', () => {
  for (let i = 0; i <= 1000; i++) assert.ok(Math.abs(cosineOfHalfTurn(i / 1000) - Math.cos((Math.PI * i) / 1000)) < 1e-15, String(i))
  assert.deepEqual([0, 0.5, 1].map(cosineOfHalfTurn), [1, -0, -1])
})

test('schedules are checked by name', () => {
  assert.deepEqual(scheduleSchema.parse({ name: 'oneCycle' }), { name: 'oneCycle', peakAt: 0.3, startFactor: 0.04, endFactor: 4e-6 })
  assert.throws(() => scheduleSchema.parse({ name: 'step' }), /everyEpochs/)
  assert.throws(() => scheduleSchema.parse({ name: 'constant', epochs: 3 }), /epochs/)
})
