import { windowOutput, type Layer, type Network } from '../../../../shared/model/network.ts'
import { layoutOf, type ParameterRole } from '../../../../shared/model/layout.ts'
import type { LaneInput, Partners } from '../../../../shared/engine/engine.ts'

/**
 * The network's forward pass in float64 and plain loops, written from the definitions and sharing nothing with the
 * engines: slow, for small shapes. Gradients come from its central differences.
 */

/** A tensor, row-major [n, h, w, c]; a vector has h = w = 1. */
interface Volume {
  n: number
  h: number
  w: number
  c: number
  data: Float64Array
}

export interface ReferenceResult {
  lossSum: number
  correct: number
  logits: Float64Array
  /** Batch mean and unbiased variance at the places of the running statistics, zero elsewhere. */
  statistics: Float64Array
}

function volume(n: number, h: number, w: number, c: number): Volume {
  return { n, h, w, c, data: new Float64Array(n * h * w * c) }
}

/** Calls back with every output place of a window and the input places under it that exist. */
function windows(x: Volume, size: number, stride: number, padding: 'valid' | 'same', visit: (sample: number, oy: number, ox: number, taps: { ky: number; kx: number; at: number }[]) => void): [number, number] {
  const height = windowOutput(x.h, size, stride, padding)
  const width = windowOutput(x.w, size, stride, padding)
  // SAME puts the odd row or column of padding at the bottom and right.
  const before = (output: number, input: number): number => (padding === 'valid' ? 0 : Math.floor(Math.max((output - 1) * stride + size - input, 0) / 2))
  const top = before(height, x.h)
  const left = before(width, x.w)
  for (let sample = 0; sample < x.n; sample++) {
    for (let oy = 0; oy < height; oy++) {
      for (let ox = 0; ox < width; ox++) {
        const taps: { ky: number; kx: number; at: number }[] = []
        for (let ky = 0; ky < size; ky++) {
          for (let kx = 0; kx < size; kx++) {
            const y = oy * stride + ky - top
            const xx = ox * stride + kx - left
            if (y >= 0 && y < x.h && xx >= 0 && xx < x.w) taps.push({ ky, kx, at: ((sample * x.h + y) * x.w + xx) * x.c })
          }
        }
        visit(sample, oy, ox, taps)
      }
    }
  }
  return [height, width]
}

/** Logits, loss and statistics; `masks` undefined means inference. */
export function reference(network: Network, vector: Float64Array, images: Uint8Array, labels: Int32Array, masks: readonly Float32Array[] | undefined, partners?: Partners): ReferenceResult {
  const layout = layoutOf(network)
  const statistics = new Float64Array(layout.size)
  let parameterIndex = 0
  const takeAt = (role: ParameterRole): { values: Float64Array; offset: number } => {
    const { offset, size, role: found } = layout.parameters[parameterIndex++]
    if (found !== role) throw new Error(`expected ${role}, found ${found}`)
    return { values: vector.subarray(offset, offset + size), offset }
  }
  const take = (role: ParameterRole): Float64Array => takeAt(role).values
  let maskIndex = 0

  const pool = (x: Volume, size: number, stride: number, padding: 'valid' | 'same', reduce: (values: number[]) => number): Volume => {
    const results: number[] = []
    const [h, w] = windows(x, size, stride, padding, (_sample, _oy, _ox, taps) => {
      for (let c = 0; c < x.c; c++) results.push(reduce(taps.map(({ at }) => x.data[at + c])))
    })
    return { n: x.n, h, w, c: x.c, data: Float64Array.from(results) }
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

  const apply = (layer: Layer, x: Volume): Volume => {
    switch (layer.type) {
      case 'conv2d':
      case 'depthwiseConv2d': {
        const depthwise = layer.type === 'depthwiseConv2d'
        const filters = layer.type === 'conv2d' ? layer.filters : x.c
        const kernel = take('kernel')
        const bias = layer.bias ? take('bias') : new Float64Array(filters)
        const results: number[] = []
        const [h, w] = windows(x, layer.kernel, layer.stride, layer.padding, (_sample, _oy, _ox, taps) => {
          for (let f = 0; f < filters; f++) {
            let sum = bias[f]
            for (const { ky, kx, at } of taps) {
              const row = (ky * layer.kernel + kx) * x.c
              if (depthwise) sum += x.data[at + f] * kernel[row + f]
              else for (let c = 0; c < x.c; c++) sum += x.data[at + c] * kernel[(row + c) * filters + f]
            }
            results.push(sum)
          }
        })
        return { n: x.n, h, w, c: filters, data: Float64Array.from(results) }
      }
      case 'relu':
        return { ...x, data: x.data.map((value) => Math.max(value, 0)) }
      case 'relu6':
        return { ...x, data: x.data.map((value) => Math.min(Math.max(value, 0), 6)) }
      case 'silu':
        return { ...x, data: x.data.map((value) => value / (1 + Math.exp(-value))) }
      case 'hardSwish':
        return { ...x, data: x.data.map((value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6) }
      case 'zeroPad': {
        const y = volume(x.n, x.h + layer.before + layer.after, x.w + layer.before + layer.after, x.c)
        x.data.forEach((value, i) => {
          const [sample, row, column] = [Math.floor(i / (x.h * x.w * x.c)), Math.floor(i / (x.w * x.c)) % x.h, Math.floor(i / x.c) % x.w]
          y.data[((sample * y.h + row + layer.before) * y.w + column + layer.before) * x.c + (i % x.c)] = value
        })
        return y
      }
      case 'maxPool':
        return pool(x, layer.size, layer.stride, layer.padding, (values) => Math.max(...values))
      case 'averagePool':
        return pool(x, layer.size, layer.stride, layer.padding, mean)
      case 'globalAveragePool': {
        const y = volume(x.n, 1, 1, x.c)
        x.data.forEach((value, i) => (y.data[Math.floor(i / (x.h * x.w * x.c)) * x.c + (i % x.c)] += value / (x.h * x.w)))
        return y
      }
      case 'flatten':
        return { n: x.n, h: 1, w: 1, c: x.h * x.w * x.c, data: x.data }
      case 'dense': {
        const kernel = take('kernel')
        const bias = layer.bias ? take('bias') : new Float64Array(layer.units)
        const y = volume(x.n, 1, 1, layer.units)
        y.data.forEach((_, i) => {
          const unit = i % layer.units
          let sum = bias[unit]
          for (let c = 0; c < x.c; c++) sum += x.data[Math.floor(i / layer.units) * x.c + c] * kernel[c * layer.units + unit]
          y.data[i] = sum
        })
        return y
      }
      case 'dropout': {
        if (masks === undefined) return x
        const mask = masks[maskIndex++]
        return { ...x, data: x.data.map((value, i) => value * mask[i]) }
      }
      case 'batchNorm': {
        const gamma = take('gamma')
        const beta = take('beta')
        const runningMean = takeAt('runningMean')
        const runningVariance = takeAt('runningVariance')
        const y = volume(x.n, x.h, x.w, x.c)
        const count = x.data.length / x.c
        for (let c = 0; c < x.c; c++) {
          const values = Array.from({ length: count }, (_, i) => x.data[i * x.c + c])
          const batchMean = mean(values)
          const batchVariance = mean(values.map((value) => (value - batchMean) ** 2))
          statistics[runningMean.offset + c] = batchMean
          statistics[runningVariance.offset + c] = (batchVariance * count) / Math.max(count - 1, 1)
          const usedMean = masks === undefined ? runningMean.values[c] : batchMean
          const usedVariance = masks === undefined ? runningVariance.values[c] : batchVariance
          values.forEach((value, i) => (y.data[i * x.c + c] = (gamma[c] * (value - usedMean)) / Math.sqrt(usedVariance + layer.epsilon) + beta[c]))
        }
        return y
      }
      case 'residual': {
        const main = layer.layers.reduce((value, inner) => apply(inner, value), x)
        const shortcut = layer.shortcut.reduce((value, inner) => apply(inner, value), x)
        return { ...main, data: main.data.map((value, i) => value + shortcut.data[i]) }
      }
    }
  }

  const input: Volume = {
    n: labels.length, h: network.imageSize, w: network.imageSize, c: 3,
    data: Float64Array.from(images, (value, i) => (value / 255 - network.mean[i % 3]) / network.std[i % 3]),
  }
  const logits = network.layers.reduce((value, layer) => apply(layer, value), input).data
  let lossSum = 0
  let correct = 0
  labels.forEach((label, sample) => {
    const row = logits.subarray(sample * network.classes, (sample + 1) * network.classes)
    const largest = Math.max(...row)
    const logSum = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0))
    row.forEach((value, k) => {
      const own = partners?.share[sample] ?? 1
      const oneHot = (k === label ? own : 0) + (k === partners?.labels[sample] ? 1 - own : 0)
      const target = oneHot * (1 - network.labelSmoothing) + network.labelSmoothing / network.classes
      const { gamma = 0, classWeights } = network.loss ?? {}
      lossSum += (classWeights?.[k] ?? 1) * target * (1 - Math.exp(value - logSum)) ** gamma * (logSum - value)
    })
    if (row.indexOf(largest) === label) correct++
  })
  return { lossSum, correct, logits, statistics }
}

/** Gradient of the summed loss by central differences in float64, with batch statistics times the count in their places. */
export function referenceGradient(network: Network, parameters: Float32Array, lane: LaneInput): Float64Array {
  const vector = Float64Array.from(parameters)
  const { statistics } = reference(network, vector, lane.images, lane.labels, lane.masks, lane.partners)
  const gradient = statistics.map((value) => value * lane.labels.length)
  const step = 1e-6
  for (const { role, offset, size } of layoutOf(network).parameters) {
    if (role === 'runningMean' || role === 'runningVariance') continue
    for (let i = offset; i < offset + size; i++) {
      const value = vector[i]
      vector[i] = value + step
      const above = reference(network, vector, lane.images, lane.labels, lane.masks, lane.partners).lossSum
      vector[i] = value - step
      const below = reference(network, vector, lane.images, lane.labels, lane.masks, lane.partners).lossSum
      vector[i] = value
      gradient[i] = (above - below) / (2 * step)
    }
  }
  return gradient
}
