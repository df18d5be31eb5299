import assert from 'node:assert/strict'
import { KeyedRandom, Purpose } from '../../../../../shared/random/philox.ts'

/** References for the kernels: convolution and pooling by their definitions, differentiated by hand and written as plain loops in float64. */

export interface Case {
  batch: number
  height: number
  width: number
  channels: number
  filters: number
  size: number
  stride: number
  padding: 'valid' | 'same'
}

interface Axis { output: number; before: number }

/** Output size and padding before one axis, by TensorFlow's rule. */
function axis(input: number, { size, stride, padding }: Case): Axis {
  if (padding === 'valid') return { output: Math.floor((input - size) / stride) + 1, before: 0 }
  const output = Math.ceil(input / stride)
  return { output, before: Math.floor(Math.max((output - 1) * stride + size - input, 0) / 2) }
}

export function outputSize(problem: Case): [number, number] {
  return [axis(problem.height, problem).output, axis(problem.width, problem).output]
}

export function describeCase(c: Case): string {
  return `${c.batch} x ${c.height} x ${c.width} x ${c.channels} -> ${c.filters}, window ${c.size}, stride ${c.stride}, ${c.padding}`
}

/** Visits every pair of an output position and an input position inside its window, with the tap that joins them. */
function forEachTap(problem: Case, visit: (input: number, tap: number, output: number) => void): void {
  const { batch, height, width, size, stride } = problem
  const rows = axis(height, problem)
  const columns = axis(width, problem)
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < rows.output; y++) {
      for (let x = 0; x < columns.output; x++) {
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            const row = y * stride + i - rows.before
            const column = x * stride + j - columns.before
            if (row < 0 || row >= height || column < 0 || column >= width) continue
            visit((n * height + row) * width + column, i * size + j, (n * rows.output + y) * columns.output + x)
          }
        }
      }
    }
  }
}

export type Values = Float32Array | Float64Array

export function convolutionGradients(c: Case, x: Values, filter: Values, dy: Values): { dx: Float64Array; dfilter: Float64Array } {
  const dx = new Float64Array(x.length)
  const dfilter = new Float64Array(filter.length)
  forEachTap(c, (input, tap, output) => {
    for (let channel = 0; channel < c.channels; channel++) {
      for (let out = 0; out < c.filters; out++) {
        const weight = (tap * c.channels + channel) * c.filters + out
        dx[input * c.channels + channel] += filter[weight] * dy[output * c.filters + out]
        dfilter[weight] += x[input * c.channels + channel] * dy[output * c.filters + out]
      }
    }
  })
  return { dx, dfilter }
}

/** Gradients of a depthwise convolution; `filters` is the number of outputs of each channel. */
export function depthwiseGradients(c: Case, x: Values, filter: Values, dy: Values): { dx: Float64Array; dfilter: Float64Array } {
  const dx = new Float64Array(x.length)
  const dfilter = new Float64Array(filter.length)
  forEachTap(c, (input, tap, output) => {
    for (let channel = 0; channel < c.channels; channel++) {
      for (let k = 0; k < c.filters; k++) {
        const weight = (tap * c.channels + channel) * c.filters + k
        const gradient = dy[(output * c.channels + channel) * c.filters + k]
        dx[input * c.channels + channel] += filter[weight] * gradient
        dfilter[weight] += x[input * c.channels + channel] * gradient
      }
    }
  })
  return { dx, dfilter }
}

export function maxPoolGradient(c: Case, x: Values, dy: Values): Float64Array {
  const winner = new Int32Array(dy.length).fill(-1)
  forEachTap(c, (input, _tap, output) => {
    for (let channel = 0; channel < c.channels; channel++) {
      const to = output * c.channels + channel
      const from = input * c.channels + channel
      if (winner[to] < 0 || x[from] > x[winner[to]]) winner[to] = from
    }
  })
  const dx = new Float64Array(x.length)
  winner.forEach((from, to) => (dx[from] += dy[to]))
  return dx
}

export function averagePoolGradient(c: Case, dy: Values): Float64Array {
  const covered = new Float64Array(dy.length / c.channels)
  forEachTap(c, (_input, _tap, output) => covered[output]++)
  const dx = new Float64Array(c.batch * c.height * c.width * c.channels)
  forEachTap(c, (input, _tap, output) => {
    for (let channel = 0; channel < c.channels; channel++) dx[input * c.channels + channel] += dy[output * c.channels + channel] / covered[output]
  })
  return dx
}

/** Standard normal numbers, which depend on the key only. */
export function numbers(length: number, key: number): Float32Array {
  const random = new KeyedRandom(11, Purpose.fingerprint, key)
  return Float32Array.from({ length }, () => random.normal())
}

/** Asserts that each value differs from the expected one by at most `tolerance` times the largest expected value. */
export function assertClose(actual: ArrayLike<number>, expected: Float64Array, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: number of elements`)
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6)
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i])
    // A NaN compares false with everything, so the condition states what must hold.
    if (!(error <= tolerance * scale)) assert.fail(`${what}: element ${i} is ${actual[i]}, expected ${expected[i]} (largest ${scale})`)
  }
}
