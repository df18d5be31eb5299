import assert from 'node:assert/strict'
import test from 'node:test'
import { kernelOptimizerMemory, type OptimizerMemory } from '../../../../shared/optim/adam_kernel.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { adamCoefficients, stepViews, type OptimizerState } from '../../../../shared/optim/adam.ts'
import { CHUNK_FLOATS } from '../../../../shared/vectors/chunks.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'

const random = new KeyedRandom(2, Purpose.draw)
/** Of any size, zeros and values below float32's normal range among them. */
const randomVector = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => (i % 11 === 0 ? 0 : random.normal() * 10 ** random.between(-42, 18)))
const kernelMemory = (size: number): OptimizerMemory => kernelOptimizerMemory(size) ?? assert.fail('this machine has no kernel')
const emptyState = (size: number): OptimizerState => ({ parameters: new Float32Array(size), m: new Float32Array(size), v: new Float32Array(size) })
const view = ({ parameters, m, v }: OptimizerState, begin: number, end: number): OptimizerState => ({ parameters: parameters.subarray(begin, end), m: m.subarray(begin, end), v: v.subarray(begin, end) })

function assertSame(actual: OptimizerState, expected: OptimizerState, what: string): void {
  for (const vector of ['parameters', 'm', 'v'] as const) assert.ok(bytesOf(actual[vector]).equals(bytesOf(expected[vector])), `${vector} of ${what}`)
}

test('300 steps of the kernel, in ranges of any length and alignment, are those of the plain loop to the bit', () => {
  const size = 1003
  const memory = kernelMemory(size)
  let [from, to] = memory.states
  let [plainFrom, plainTo] = [emptyState(size), emptyState(size)]
  from.parameters.set(randomVector(size))
  plainFrom.parameters.set(from.parameters)
  for (let t = 1; t <= 300; t++) {
    const sum = randomVector(size)
    const coefficients = adamCoefficients(1 + random.below(100), t, 10 ** random.between(-6, -1))
    for (let begin = 0; begin < size; ) {
      const end = Math.min(size, begin + 1 + random.below(200))
      memory.stepElements(sum.subarray(begin, end), view(from, begin, end), view(to, begin, end), coefficients)
      stepViews(sum.subarray(begin, end), view(plainFrom, begin, end), view(plainTo, begin, end), coefficients)
      begin = end
    }
    ;[from, to] = [to, from]
    ;[plainFrom, plainTo] = [plainTo, plainFrom]
    assertSame(from, plainFrom, `step ${t}`)
  }
  assert.ok(from.parameters.every(Number.isFinite))
})

test('a range longer than the gradient chunk that the kernel holds is stepped whole', () => {
  const size = 2 * CHUNK_FLOATS + 5
  const memory = kernelMemory(size)
  const [from, to] = memory.states
  from.parameters.fill(0.5)
  const plainFrom = emptyState(size)
  plainFrom.parameters.fill(0.5)
  const plainTo = emptyState(size)
  const sum = Float32Array.from({ length: size }, (_, i) => Math.fround((i % 1009) - 500))
  memory.stepElements(sum, from, to, adamCoefficients(64, 1, 1e-3))
  stepViews(sum, plainFrom, plainTo, adamCoefficients(64, 1, 1e-3))
  assertSame(to, plainTo, 'the step')
})

test('a state may be stepped in place', () => {
  const memory = kernelMemory(10)
  const [state] = memory.states
  const plain = emptyState(10)
  const sum = randomVector(10)
  memory.stepElements(sum, state, state, adamCoefficients(3, 1, 1e-3))
  stepViews(sum, plain, plain, adamCoefficients(3, 1, 1e-3))
  assertSame(state, plain, 'the step')
})
